"""What is kept of one call: its words, its tool runs, its sound, how quick it was, how it ended.

Words and tool runs are queued for the database as soon as they are whole, and nobody on the line waits for
that; watchers are told when they are durable. The end is queued behind them, so that a call whose end is kept
is complete.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from assistant.call import commands as do
from assistant.errors import AssistantError
from assistant.live import Live
from assistant.realtime.side import ModelSide
from assistant.store import calls
from assistant.store.recordings import CallRecorder
from assistant.store.writer import Store
from assistant.tools.toolbox import ToolResult

log = logging.getLogger(__name__)

FINISH_S = 10.0  # how long the end of a call waits for the database; the writer keeps it all the same


@dataclass(slots=True)
class Measured:
    """What is known about a call besides its words, in the export's names."""

    first_sound_ms: int | None = None
    response_ms: list[int] = field(default_factory=list)
    ended_at: datetime | None = None


class Keeping:
    """Keeps one call. clock: the call's, in ms.

    recorder: None when nothing is recorded. keep_greeting: makes the sound of the opening durable.
    """

    def __init__(
        self,
        call_sid: str,
        store: Store,
        live: Live,
        clock: Callable[[], int],
        recorder: CallRecorder | None = None,
        keep_greeting: Callable[[bytes], None] | None = None,
    ) -> None:
        self.measured = Measured()
        self._call_sid = call_sid
        self._store = store
        self._live = live
        self._clock = clock
        self._recorder = recorder
        self._keep_greeting = keep_greeting

    # --- words and tools -------------------------------------------------------

    def turn(self, command: do.KeepTurn) -> None:
        """Something has been said."""
        self._store.put(calls.keep_turn, self._call_sid, asdict(command.turn), then=self._tell_watchers)

    def tool_run(self, command: do.RunTool, result: ToolResult, started_ms: int) -> None:
        """A tool has run, until now."""
        self._store.put(
            calls.keep_tool_run,
            self._call_sid,
            tool_call_id=command.tool_call_id,
            name=command.name,
            arguments=result.arguments,
            result=result.output,
            refused=result.refused,
            started_ms=started_ms,
            took_ms=self._clock() - started_ms,
            then=self._tell_watchers,
        )

    def _tell_watchers(self, result: object) -> None:
        """Only what is durable is shown."""
        self._live.tell(self._call_sid, "kept")

    # --- sound -------------------------------------------------------------------

    def caller_sound(self, command: do.RecordCaller) -> None:
        """The caller's, on the recording."""
        if self._recorder is not None:
            self._recorder.caller(command.payload, command.at_ms)

    def silence_caller(self, command: do.SilenceRecording) -> None:
        """The caller's last sound must not be on the recording."""
        if self._recorder is not None:
            self._recorder.silence_caller(command.length_ms)

    def heard_sound(self, command: do.RecordHeard) -> None:
        """The assistant's, as far as it was heard, on the recording."""
        if self._recorder is not None:
            self._recorder.assistant(command.payload, command.at_ms)

    def greeting(self, command: do.KeepGreeting) -> None:
        """The opening's, for the calls to come."""
        if self._keep_greeting is not None:
            self._keep_greeting(command.payload)

    # --- times ---------------------------------------------------------------------

    def first_sound(self, command: do.NoteFirstSound) -> None:
        """The caller hears the assistant for the first time."""
        self.measured.first_sound_ms = self._clock()

    def response_time(self, command: do.NoteResponseTime) -> None:
        """The caller hears the answer to what they said."""
        self.measured.response_ms.append(self._clock() - command.since_ms)

    def line_over(self) -> None:
        """The phone's side is over; what comes after is not a part of the call's length."""
        self.measured.ended_at = self.measured.ended_at or datetime.now(UTC)

    # --- the end ---------------------------------------------------------------------

    def finish(self, because: str, sessions: Iterable[ModelSide]) -> None:
        """Keep how the call ended, and what the model's sessions have cost. Nothing is to come any more."""
        self._keep_recording()
        self.line_over()
        used = list(sessions)
        try:
            self._store.write(
                calls.finish,
                self._call_sid,
                ended_at=self.measured.ended_at,
                ended_because=because,
                usage=_usage(used),
                cost_usd=sum(session.cost_usd for session in used),
                first_sound_ms=self.measured.first_sound_ms,
                response_ms=self.measured.response_ms,
                timeout_s=FINISH_S,
            )
        except AssistantError as error:
            log.error("%s: its end waits for the database: %s", self._call_sid, error)
        self._live.tell(self._call_sid, "ended")

    def _keep_recording(self) -> None:
        if self._recorder is None:
            return
        seconds = self._recorder.close()
        if seconds:
            file = f"{self._recorder.path.parent.name}/{self._recorder.path.name}"
            self._store.put(calls.add_recording, self._call_sid, kind="call", file=file, seconds=seconds)


def _usage(sessions: Iterable[ModelSide]) -> dict[str, float]:
    """Of all sessions together."""
    total: dict[str, float] = {}
    for session in sessions:
        for name, count in session.usage.as_dict().items():
            total[name] = total.get(name, 0) + count
    return total


KEEP: dict[type[do.Command], Callable[[Keeping, Any], None]] = {
    do.KeepTurn: Keeping.turn,
    do.KeepGreeting: Keeping.greeting,
    do.RecordCaller: Keeping.caller_sound,
    do.RecordHeard: Keeping.heard_sound,
    do.SilenceRecording: Keeping.silence_caller,
}
