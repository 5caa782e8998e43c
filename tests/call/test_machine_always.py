"""What holds on every call, whatever happens in whatever order."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.call import commands as do
from assistant.call import events as ev
from assistant.call.plan import CallPlan
from tests.call.telling import NOTICE, OPENING, Line, sound

REASONS = {
    "caller_hung_up",
    "assistant_ended",
    "transferred",
    "silence",
    "time_limit",
    "model_failed",
    "line_lost",
    "shut_down",
}

PLANS = [
    CallPlan(opening=OPENING, disclosure=NOTICE),
    CallPlan(opening=OPENING, greeting=sound(3_000)),
    CallPlan(opening=OPENING, greeting=sound(5_000), disclosure=NOTICE, notice_ends_ms=2_600),
    CallPlan(opening=OPENING, greeting=sound(3_000), keypad_pin=True),
]
TONES = b"\x2b"  # the caller's sound, when it may be of a PIN's keys

numbers = st.integers(0, 3)
HAPPENINGS = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from([20, 100, 300, 1_000, 2_500, 9_000])),
    st.tuples(st.just("ready"), numbers),
    st.tuples(st.sampled_from(["speaks", "stops", "committed", "words", "no words"]), numbers),
    st.tuples(st.sampled_from(["started", "sound", "sound done", "text", "item"]), numbers),
    st.tuples(st.sampled_from(["done", "done", "tools", "cancelled", "failed", "refused"]), numbers),
    st.tuples(st.sampled_from(["tool", "hang up", "transfer", "transfer failed", "key"]), numbers),
    st.tuples(st.sampled_from(["lost", "nothing", "old mark", "limit"]), numbers),
    st.tuples(st.sampled_from(["asks for key", "confirmed"]), numbers),
    st.tuples(st.sampled_from(["gone", "shut down", "hang up failed"]), st.just(0)),
    st.tuples(st.sampled_from(["owner says", "owner asks", "owner rings"]), numbers),
)
# What the owner does who watches the call, and what comes of ringing their phone.
STEPPING_IN = st.one_of(
    HAPPENINGS,
    st.tuples(st.sampled_from(["owner says", "owner asks", "owner ends", "voicemail"]), numbers),
    st.tuples(st.sampled_from(["owner rings", "transfer", "gone", "back", "back", "wait"]), st.just(0)),
    st.tuples(st.sampled_from(["owner rings", "gone", "back", "picked up", "accepted", "over"]), st.just(0)),
    st.tuples(st.just("wait"), st.sampled_from([100, 5_000, 30_000])),
)
# What an owner does, between all the rest of it.
TYPING = st.one_of(
    HAPPENINGS,
    st.tuples(st.just("press"), st.sampled_from("0123456789*#A")),
    st.tuples(st.just("press"), st.sampled_from(["123456#", "12345678", "1234567", "9*#"])),
    st.tuples(st.just("press"), st.sampled_from(["1", "1", "11", "135790#"])),
    st.tuples(st.just("wait"), st.sampled_from([100, 880, 1_000, 4_900, 5_400])),
    st.tuples(st.sampled_from(["right", "right", "wrong", "unchecked"]), st.just(0)),
)
# And when something waits for a key: a fifth of it is all the rest.
ANSWERING = st.one_of(
    st.tuples(st.just("question"), numbers),
    st.tuples(st.just("yes"), numbers),
    st.tuples(st.just("wait"), st.sampled_from([300, 980, 1_000, 2_500])),
    st.tuples(st.just("press"), st.sampled_from(["1", "11", "2", "1#", "135790#"])),
    TYPING.map(tuple),
)


def happen(line: Line, what: str, number: Any) -> None:
    happen_at_the_model(line, what, number)
    happen_elsewhere(line, what, number)


def happen_at_the_model(line: Line, what: str, number: Any) -> None:
    user, item, reply, call = f"u{number}", f"a{number}", f"r{number}", f"tc_{number}"
    match what:
        case "ready":
            line.tell(ev.ModelReady)
        case "lost":
            line.tell(ev.ModelLost, "closed", fatal=number == 3)
        case "nothing":
            line.tell(ev.NothingCommitted)
        case "speaks":
            line.tell(ev.SpeechStarted, user)
        case "stops":
            line.tell(ev.SpeechStopped, user)
        case "committed":
            line.tell(ev.CallerCommitted, user, "")
        case "words":
            line.tell(ev.CallerTranscribed, user, "Words.")
        case "no words":
            line.tell(ev.TranscriptionFailed, user)
        case "started":
            line.tell(ev.ReplyStarted, reply)
        case "sound":
            line.tell(ev.ReplyAudio, reply, item, 0, sound(700))
        case "sound done":
            line.tell(ev.ReplyAudioDone, reply, item, 0)
        case "text":
            line.tell(ev.ReplyText, reply, item, "Some words.")
        case "item":
            line.tell(ev.ItemAdded, item, user, "assistant")
        case "done" | "cancelled" | "failed":
            status = "completed" if what == "done" else what
            line.tell(ev.ReplyDone, reply, status)
        case "tools":
            calls = (ev.ToolCall(call, "take_message", "{}"), ev.ToolCall("tc_0", "end_call", "{}"))
            line.tell(ev.ReplyDone, reply, "completed", calls)
        case "refused":
            line.tell(ev.ReplyRefused, ["", "reply_1", "reply_2", "reply_3"][number])


def happen_elsewhere(line: Line, what: str, number: Any) -> None:
    call = f"tc_{number}"
    match what:
        case "wait":
            line.wait(number)
        case "tool":
            line.tell(ev.ToolFinished, call, {"ok": True})
        case "hang up":
            line.tell(ev.ToolFinished, call, {"ok": True}, ev.ThenHangUp())
        case "transfer":
            line.tell(ev.ToolFinished, call, {"ok": True}, ev.ThenTransfer("urgent"))
        case "transfer failed":
            line.tell(ev.TransferFailed)
        case "key":
            line.tell(ev.CallerPressed, str(number))
        case "press":
            line.presses(number, every_ms=120)
        case "level":
            line.presses("123456#", every_ms=120)
            line.tell(ev.PinChecked, True)
        case "yes":
            line.wait(900)
            line.presses("1", every_ms=[300, 980, 1_000, 1_500][number])
        case "right" | "wrong" | "unchecked":
            line.tell(ev.PinChecked, None if what == "unchecked" else what == "right")
        case "question":
            line.reply(f"q{number}", tools=[ev.ToolCall(call, "cancel_event", "{}")])
            line.tell(ev.ToolFinished, call, {"ok": True}, ev.ThenConfirm())
        case "asks for key":
            line.tell(ev.ToolFinished, call, {"ok": True}, ev.ThenConfirm(str(number)))
        case "confirmed":
            line.tell(ev.ToolConfirmed, call, "take_message", {"ok": True})
        case "old mark":
            # Once more, and out of turn.
            for name in line.phone.given_back[number : number + 1]:
                line.tell(ev.MarkReturned, name)
        case "limit":
            line.tell(ev.TimerFired, "limit")
        case "gone":
            line.tell(ev.CallerGone, hung_up=True)


def the_owner_does(line: Line, what: str, number: Any) -> None:
    match what:
        case "over":
            line.tell(ev.CallOver)
        case "owner says" | "owner asks":
            line.tell(ev.OwnerSays, f"Words {number}.", ask=what == "owner asks")
        case "owner rings":
            line.tell(ev.OwnerRings)
        case "owner ends" | "voicemail":
            line.tell(ev.OwnerEnds, voicemail=what == "voicemail")
        case "picked up":
            line.tell(ev.OwnerPickedUp)
        case "accepted":
            line.tell(ev.OwnerAccepted)
        case "shut down":
            line.tell(ev.ShutDown)
        case "hang up failed":
            line.tell(ev.HangUpFailed)
        case "back" if line.call.parked:
            line.comes_back()
        case _:
            the_owner_does(line, what, number)


def check(line: Line) -> None:
    counts = Counter(type(command) for command in line.did)
    answered = Counter(command.tool_call_id for command in line.done(do.AnswerTool))
    assert all(count == 1 for count in answered.values())
    assert set(answered) <= {command.tool_call_id for command in line.done(do.RunTool)}
    assert all(count == 1 for count in Counter(line.done(do.RunTool)).values())
    assert max(counts[do.HangUp], counts[do.ConnectModel], counts[do.ClosePhone]) <= 1
    assert counts[do.NoteFirstSound] <= 1
    settled = Counter(one.tool_call_id for kind in (do.ConfirmTool, do.DropTool) for one in line.done(kind))
    assert all(count == 1 for count in settled.values())
    reported = sum(report.confirmed for report in line.done(do.ReportTool))
    assert reported <= counts[do.ConfirmTool]
    heard_ms = sum(len(part.payload) for part in line.done(do.RecordHeard)) / 8
    assert heard_ms <= sum(len(part.payload) for part in line.done(do.Play)) / 8
    for command, played_ms in line.truncations:
        assert abs(command.audio_end_ms - played_ms) <= 40
    for command in line.done(do.KeepTurn):
        assert command.turn.text.startswith(command.turn.heard_text)
        assert command.turn.started_ms <= command.turn.ended_ms
    assert counts[do.CloseModel] == line.call.ended
    if line.call.ended:
        assert isinstance(line.did[-1], do.CloseModel)
        assert line.call.ended_because in REASONS


class Watched(Line):
    """A line that is looked at while it happens: what may never be done in a certain state."""

    def __init__(self, plan: CallPlan) -> None:
        super().__init__(plan)
        self.active: str | None = None
        self.ready = False

    def _handle(self, event: ev.Event) -> list[do.Command]:
        gone, ended = self.gone, self.call.ended
        match event:
            case ev.ModelReady():
                self.ready, self.active = True, None
            case ev.ModelLost():
                self.ready = False
            case ev.ReplyStarted(response_id):
                self.active = response_id
            case ev.ReplyDone(response_id) if response_id == self.active:
                self.active = None
        commands = super()._handle(event)
        kinds = {type(command) for command in commands}
        if do.ConnectModel in kinds:
            self.ready = False
        assert not (ended and commands)
        assert not (gone and kinds & {do.HearCaller, do.Play, do.PlaceMark, do.ClearPlayback, do.CreateReply})
        assert not (do.CreateReply in kinds and self.active), "a reply is active"
        if not self.ready:
            assert not kinds & TO_THE_MODEL
        return commands


TO_THE_MODEL = {
    do.CreateReply,
    do.HearCaller,
    do.TellModel,
    do.AnswerTool,
    do.TruncateReply,
    do.DeclareTools,
    do.ReportTool,
}


class Owner(Watched):
    """A line whose caller types, watched by somebody who knows what is to stay between caller and PIN."""

    def __init__(self, plan: CallPlan) -> None:
        super().__init__(plan)
        self.typing = False
        self.quiet_until_ms = -1.0  # the tone of the last key is over
        self.typed = ""
        self.entries: list[str] = []  # the digits of those that are closed
        self.ordinary: list[str] = []  # keys that are the model's to know
        self.comparing = self.granted = False
        self.pressed: list[tuple[int, str]] = []  # all keys, with their times
        self.running: set[str] = set()  # tools that have been called and have not answered
        self.asked: dict[str, str] = {}  # the key that was asked for, by tool call
        self._pause_ends_ms = 0.0

    def _handle(self, event: ev.Event) -> list[do.Command]:
        if self.typing and self.now_ms >= self._pause_ends_ms:
            self._close(self._pause_ends_ms)
        was_comparing, owner = self.comparing, self.granted
        nobody = self.gone or self.call.ended
        commands = super()._handle(event)
        match event:
            case ev.CallerPressed(key):
                hushed = any(isinstance(did, do.SilenceRecording) for did in commands)
                assert hushed == (self._is_of_a_pin(key) and not self.typing and not nobody)
                self._press(key)
            case ev.PinChecked(granted):
                self.granted |= bool(granted) and was_comparing
                self.comparing = False
            case ev.ToolFinished(tool_call_id, _, then) if tool_call_id in self.running:
                self.running.discard(tool_call_id)  # an answer of a tool that nobody called asks for nothing
                if isinstance(then, ev.ThenConfirm):
                    self.asked[tool_call_id] = then.key
        for command in commands:
            if isinstance(command, do.RunTool):
                self.running.add(command.tool_call_id)
            self._look_at(command, owner)
            if isinstance(command, do.ConfirmTool):
                self._look_at_yes(command, over=self.gone)
        return commands

    def _is_of_a_pin(self, key: str) -> bool:
        return self.plan.keypad_pin and key not in "ABCD"

    def _press(self, key: str) -> None:
        if self._is_of_a_pin(key):
            self._type(key)
        elif not self.plan.keypad_pin:
            self.ordinary.append(key)
        else:
            return
        self.pressed.append((int(self.now_ms), key))

    def _look_at_yes(self, command: do.ConfirmTool, *, over: bool) -> None:
        """The key that was asked for, and no other for a second before and after it."""
        at_ms, key = self.pressed[-1]
        assert key == self.asked[command.tool_call_id]
        assert over or self.now_ms >= at_ms + 1_000
        assert all(other_ms <= at_ms - 1_000 for other_ms, _ in self.pressed[:-1])
        if self.plan.keypad_pin:
            self.typing, self.typed, self.quiet_until_ms = False, "", self.now_ms + 300
        else:
            self.ordinary.pop()

    def _type(self, key: str) -> None:
        self.typing, self._pause_ends_ms = True, self.now_ms + (2_000 if self.granted else 5_000)
        self.typed = "" if key == "*" else self.typed + key.strip("#")
        if key == "#" or len(self.typed) == 8:
            self._close(self.now_ms)

    def _close(self, at_ms: float) -> None:
        self.entries.append(self.typed)
        self.typing, self.typed, self.quiet_until_ms = False, "", at_ms + 300

    def _look_at(self, command: do.Command, owner: bool) -> None:
        match command:
            case do.CheckPin(digits):
                assert self.plan.keypad_pin
                assert not self.granted
                assert not self.comparing
                assert digits in [*self.entries, self.typed]
                self.comparing = True
            case do.HearCaller(payload) | do.RecordCaller(payload):
                assert TONES not in payload
            case do.TellModel(text) | do.CreateReply(ask=text) if self.plan.keypad_pin:
                assert not set(text) & set("0123456789*#"), "a key is told"
            case do.TellModel(text) if "keypad: " in text:
                told = text.partition("keypad: ")[2].split()
                known = iter(self.ordinary)
                assert all(key in known for key in told), "the model is told what was not pressed, or a yes"
                self.ordinary = list(known)
            case do.DeclareTools():
                assert owner or self.granted

    def _send_frame(self) -> None:
        secret = self.typing or self.now_ms <= self.quiet_until_ms
        self.caller_sounds = TONES if secret else b"\x2a"
        super()._send_frame()


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PLANS), st.lists(HAPPENINGS, max_size=40))
def test_whatever_happens(plan, happenings):
    whatever_happens(plan, happenings)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([PLANS[-1], PLANS[-1], PLANS[0]]), st.lists(TYPING, max_size=40))
def test_whatever_happens_to_a_caller_who_types(plan, happenings):
    whatever_happens(plan, happenings)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([PLANS[-1], PLANS[0]]), st.lists(ANSWERING, min_size=8, max_size=30))
def test_whatever_happens_while_something_waits_for_a_key(plan, happenings):
    whatever_happens(plan, [("level", 0), *happenings])


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PLANS), st.lists(STEPPING_IN, min_size=5, max_size=40))
def test_whatever_happens_to_an_owner_who_steps_in(plan, happenings):
    whatever_happens(plan, happenings)


def whatever_happens(plan: CallPlan, happenings: list[tuple[str, Any]]) -> None:
    line = Owner(plan)
    line.begins()
    line.tell(ev.ModelReady)
    for what, number in happenings:
        # A session that is not there says nothing.
        if line.ready or what in (
            "wait",
            "ready",
            "tool",
            "hang up",
            "transfer",
            "key",
            "press",
            "right",
            "wrong",
            "unchecked",
            "level",
            "yes",
            "asks for key",
            "confirmed",
            "lost",
            "gone",
            "limit",
            "back",
            "over",
            "owner says",
            "owner asks",
            "owner rings",
            "owner ends",
            "voicemail",
            "picked up",
            "accepted",
        ):
            if what == "ready" and line.ready:
                continue
            happen(line, what, number)
    check(line)
    line.tell(ev.CallOver)
    line.wait(4_000)

    assert line.call.ended
    check(line)
