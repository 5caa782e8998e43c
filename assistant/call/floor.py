"""Who has the floor: the caller, the model, or nobody.

The caller has it when they take it. The model gets it by itself after the caller, and from us when something
is to be said that nobody has asked for; then a reply is due, and one that shows no sign of life for long
means that the model is lost. When nobody has it, what waited for that happens, or the silence is counted.
"""

from __future__ import annotations

from collections import deque

from assistant.call.commands import CancelReply, Command, CreateReply, StartTimer, StopTimer, TellModel
from assistant.call.ending import Ending
from assistant.call.replies import Replies
from assistant.call.session import Session
from assistant.call.tools import ToolRuns

REPLY_DUE_MS = 8_000  # a reply that is due and says nothing for so long: the model is lost


class Floor:
    """Whose turn it is on one call.

    now_ms: the time of the event that happens now. caller_speaking: the caller has the floor. caller_types:
    and has it too while they type a PIN, or a key that may be a yes. reply_seen_ms: the last sign of life of
    a reply that is due.
    """

    def __init__(self, replies: Replies, tools: ToolRuns, ending: Ending, session: Session) -> None:
        self.now_ms = 0
        self.caller_speaking = False
        self.caller_types = False
        self.reply_seen_ms = 0
        self._replies = replies
        self._tools = tools
        self._ending = ending
        self._session = session
        self._brought_up = ""
        self._errands: deque[tuple[str, str]] = deque()  # what the owner wants said, and asked

    # --- the model's ---

    def ask(self, say: str = "", ask: str = "") -> list[Command]:
        """A reply is wanted: these words, this instruction, or an answer to the conversation so far."""
        return [*self._replies.wish(say, ask), *self.reply_is_due()]

    def ask_again(self) -> list[Command]:
        """A reply has failed; a caller who speaks will be answered anyway."""
        return [] if self.caller_speaking else self.with_due(self._replies.again())

    def tell(self, note: str) -> list[Command]:
        """Something the model should speak about; a speaking caller will be answered anyway."""
        return [TellModel(note), *([] if self.caller_speaking else self.ask())]

    def bring_up(self, ask: str) -> list[Command]:
        """Something the caller has to hear: now, or as soon as there is a session, and they were answered."""
        self._brought_up = ask
        return self.take_up() if self._session.ready else []

    def take_up(self) -> list[Command]:
        """What had to wait until now is asked for."""
        if not self._brought_up or self.caller_speaking or self._ending.because:
            return []
        ask, self._brought_up = self._brought_up, ""
        return self.ask(ask=ask)

    # --- the owner's ---

    def run_for_owner(self, say: str = "", ask: str = "") -> list[Command]:
        """The owner wants something said, or asked: as soon as nobody has the floor. It waits until it is
        heard to begin, whoever speaks before that."""
        self._errands.append((say, ask))
        return self._run_errand()

    def reply_sounds(self) -> None:
        """A response is heard, or was without sound: perhaps it is what the owner wanted."""
        ours = self._replies.running
        if ours is not None and self._errands and (ours.say, ours.ask) == self._errands[0]:
            self._errands.popleft()

    def _run_errand(self) -> list[Command]:
        taken = self.caller_speaking or self.caller_types or self._replies.busy or self._tools.running
        leaving = self._ending.wished or self._ending.transferring
        if not self._errands or taken or leaving or not self._session.ready:
            return []
        return self.ask(*self._errands[0])

    # --- anybody's ---

    def reply_is_due(self) -> list[Command]:
        """A sign of life is awaited from now on."""
        self.reply_seen_ms = self.now_ms
        return [StopTimer("silence"), StartTimer("reply_due", self.now_ms + REPLY_DUE_MS)]

    def with_due(self, commands: list[Command]) -> list[Command]:
        """If a reply is asked for among these, it is due."""
        asked = any(isinstance(command, CreateReply) for command in commands)
        return commands + (self.reply_is_due() if asked else [])

    def in_time(self, seen_ms: int) -> list[Command]:
        """More time for a reply that was seen then; nothing when that was too long ago."""
        due_ms = seen_ms + REPLY_DUE_MS
        return [StartTimer("reply_due", due_ms)] if self.now_ms < due_ms else []

    def cancel_if_unwanted(self) -> list[Command]:
        """A reply asked for before we knew that the caller speaks would talk over them; and once the time
        is up, nothing but our goodbye is said."""
        ours = self._replies.running is not None
        unwanted = not ours if self._ending.final else self.caller_speaking
        if not unwanted or self._replies.active is None:
            return []
        self._replies.cut()
        return [CancelReply()]

    # --- nobody's ---

    def settle(self) -> list[Command]:
        """Something came to rest. Without a model only what needs none can happen."""
        if not (self._session.ready or self._ending.needs_no_model):
            return []
        return self._run_errand() or self._ending.settle(
            self.now_ms,
            caller_speaking=self.caller_speaking or self.caller_types,
            tools_running=self._tools.running,
        )

    def silent(self) -> list[Command]:
        """Nothing was heard for as long as a prompt waits."""
        return self.with_due(self._ending.silent(self.now_ms))
