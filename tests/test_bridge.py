"""The bridge of one call, with a phone and a model that are plain objects in this file.

Real threads, a real database; time is the real clock, and nothing waits for longer than it must.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from assistant.bridge import Bridge
from assistant.calendars.diary import Diary
from assistant.call import commands as do
from assistant.call import events as ev
from assistant.call.machine import Call
from assistant.call.plan import CallPlan
from assistant.errors import ModelGone, PhoneLost, RestError
from assistant.live import Live
from assistant.live_calls import LiveCalls
from assistant.realtime.usage import Usage
from assistant.store import calls, export
from assistant.store.recordings import CallRecorder
from assistant.store.schema import as_time
from assistant.store.writer import Store
from assistant.tools.toolbox import ONE_AT_A_TIME, Arguments, Tool, Toolbox, ToolContext, ToolResult

SID = "CA" + "1" * 32
PLAN = CallPlan(opening="Hello.")
PIN_PLAN = CallPlan(
    opening="Hello.", keypad_pin=True, pin_right_ask="Right.", pin_wrong_ask="Wrong.",
    pin_unchecked_ask="Later.",
)  # fmt: skip


class Phone:
    """A phone whose every sound is played at once."""

    def __init__(self) -> None:
        self.coming: queue.SimpleQueue[Callable[[int], ev.Event]] = queue.SimpleQueue()
        self.played = b""
        self.closed: list[int] = []
        self.hang_ups = 0
        self.hang_up_fails = 0
        self.lost = False

    def hear(self, clock: Callable[[], int]) -> ev.Event:
        return self.coming.get(timeout=20)(clock())

    def play(self, payload: bytes) -> None:
        if self.lost:
            raise PhoneLost("gone")
        self.played += payload

    def send_held(self) -> None:
        if self.lost:
            raise PhoneLost("gone")

    def mark(self, name: str) -> None:
        self.coming.put(lambda at_ms: ev.MarkReturned(name, at_ms=at_ms))

    def clear(self) -> None:
        self.played += b"|"

    def hang_up(self) -> None:
        self.hang_ups += 1
        if self.hang_ups <= self.hang_up_fails:
            raise RestError("refused", 500)
        self.coming.put(lambda at_ms: ev.CallerGone(hung_up=True, at_ms=at_ms))

    def transfer(self, reason: str) -> None:
        raise RestError("not here")

    def close(self, code: int, reason: str) -> None:
        if not self.closed:
            self.coming.put(lambda at_ms: ev.CallerGone(hung_up=False, at_ms=at_ms))
        self.closed.append(code)


class Model:
    """A session that says what the test tells it to, in answer to the n-th reply asked for."""

    def __init__(self, clock: Callable[[], int], replies: Iterator[list[ev.Event]]) -> None:
        self.usage = Usage(text_in=10)
        self.cost_usd = 0.01
        self.sent: list[do.Command] = []
        self.stalled = self.closed = False
        self._clock = clock
        self._replies = replies
        self._events: queue.SimpleQueue[ev.Event | None] = queue.SimpleQueue()

    def run(self, put: Callable[[ev.Event], None]) -> None:
        put(ev.ModelReady(at_ms=self._clock()))
        while (event := self._events.get()) is not None:
            put(event)

    def say(self, *events: ev.Event) -> None:
        for event in events:
            self._events.put(event)

    def send(self, command: do.Command) -> None:
        if self.stalled:
            raise ModelGone("stalled")
        self.sent.append(command)
        if isinstance(command, do.CreateReply):
            self.say(*next(self._replies, []))

    def close(self) -> None:
        self.closed = True
        self._events.put(None)


def reply(number: int, text: str, *calls: ev.ToolCall, ms: int = 200) -> list[ev.Event]:
    response_id, item_id = f"resp_{number}", f"item_{number}"
    return [
        ev.ReplyStarted(response_id, at_ms=0),
        ev.ItemAdded(item_id, "", "assistant", at_ms=0),
        ev.ReplyAudio(response_id, item_id, 0, b"\x80" * 8 * ms, at_ms=0),
        ev.ReplyAudioDone(response_id, item_id, 0, at_ms=0),
        ev.ReplyText(response_id, item_id, text, at_ms=0),
        ev.ReplyDone(response_id, "completed", calls, at_ms=0),
    ]


class House:
    """Everything around one bridge."""

    def __init__(
        self,
        tmp_path,
        *replies: list[ev.Event],
        plan: CallPlan = PLAN,
        tools=None,
        trust="stranger",
        check_pin=None,
    ) -> None:
        self.store = Store(tmp_path / "afterbeep.db")
        self.store.write(
            calls.begin, SID, direction="inbound", from_number="+12025550143", to_number="+12025550100",
            forwarded_from=None, caller_name=None, trust="stranger", stir_verstat=None,
            started_at=as_time("2026-11-21T09:00:00.000Z"),
        )  # fmt: skip
        self.phone = Phone()
        self.models: list[Model] = []
        self.replies = iter(replies)
        self.live = Live()
        context = ToolContext(
            call_sid=SID, caller_number="+12025550143", trust="stranger", store=self.store,
            diary=Diary(self.store),
        )  # fmt: skip
        self.toolbox = Toolbox(context, tools=tools)
        if trust == "owner":
            self.toolbox.raise_to_owner()
        self.bridge = Bridge(
            SID, Call(plan), self.phone, self.connect, self.toolbox, self.store,
            self.live, CallRecorder(tmp_path / "recordings", SID), check_pin=check_pin,
        )  # fmt: skip
        self.live_calls = LiveCalls()
        self.thread = threading.Thread(target=self.live_calls.serve, args=(self.bridge,), daemon=True)

    def connect(self, clock: Callable[[], int]) -> Model:
        self.models.append(Model(clock, self.replies))
        return self.models[-1]

    def begin(self) -> House:
        self.thread.start()
        return self

    def hear(self, event: Callable[[int], ev.Event]) -> None:
        self.phone.coming.put(event)

    def press(self, keys: str) -> None:
        for key in keys:
            self.hear(lambda at_ms, key=key: ev.CallerPressed(key, at_ms=at_ms))

    def sent(self, kind: type[do.Command]) -> list:
        """What the session in use has been sent of this kind."""
        sent = self.models[-1].sent if self.models else []
        return [command for command in sent if isinstance(command, kind)]

    def over(self) -> dict:
        self.thread.join(20)
        assert not self.thread.is_alive()
        return self.store.read(export.export_call, SID)

    def until(self, true: Callable[[], object]) -> None:
        deadline = time.monotonic() + 10
        while not true():
            assert time.monotonic() < deadline
            time.sleep(0.005)


@pytest.fixture
def house(tmp_path):
    return lambda *replies, **more: House(tmp_path, *replies, **more).begin()


def hung_up(at_ms: int) -> ev.Event:
    return ev.CallerGone(hung_up=True, at_ms=at_ms)


def test_a_call_is_played_kept_and_measured(house):
    here = house(reply(1, "Hello."))
    watcher = here.live.watch(SID)
    here.until(lambda: here.store.read(export.export_call, SID)["turns"])
    here.hear(hung_up)
    call = here.over()

    assert here.phone.played == b"\x80" * 1600
    assert [(turn["text"], turn["heard_text"], turn["heard_ms"]) for turn in call["turns"]] == [
        ("Hello.", "Hello.", 200)
    ]
    assert call["ended_because"] == "caller_hung_up"
    assert call["first_sound_ms"] is not None
    assert call["usage"]["text_in"] == 10
    assert call["cost_usd"] == 0.01
    assert call["recordings"][0]["kind"] == "call"
    told = list(iter(lambda: watcher.next(1), "ended"))
    assert told[-1] == "kept"  # and that it began, when that was not told before we watched


def test_a_tool_runs_beside_and_its_message_belongs_to_the_call(house):
    message = ev.ToolCall("tc_1", "take_message", '{"text": "Please call back"}')
    bye = ev.ToolCall("tc_2", "end_call", "{}")
    here = house(reply(1, "Hello.", message), reply(2, "Goodbye.", bye))
    call = here.over()

    assert here.phone.hang_ups == 1
    assert call["message"]["text"] == "Please call back"
    assert [run["name"] for run in call["tool_runs"]] == ["take_message", "end_call"]
    assert (call["outcome"], call["ended_because"]) == ("message", "assistant_ended")


def test_a_hang_up_that_fails_is_tried_again_with_the_socket_open(house):
    here = house(reply(1, "Goodbye.", ev.ToolCall("tc_1", "end_call", "{}")))
    here.phone.hang_up_fails = 1
    call = here.over()

    assert here.phone.hang_ups == 2
    assert call["ended_because"] == "assistant_ended"


def test_a_model_that_stalls_is_replaced_and_told_what_was_said(house):
    here = house(reply(1, "Hello."), [], reply(2, "Where were we?"))
    here.until(lambda: here.store.read(export.export_call, SID)["turns"])
    here.models[0].stalled = True
    here.hear(lambda at_ms: ev.CallerAudio(b"\xff" * 160, 0, at_ms=at_ms))
    here.until(lambda: len(here.models) == 2 and here.models[1].sent)
    here.models[0].say(ev.ModelLost("said too late", fatal=True, at_ms=0))
    here.hear(hung_up)
    call = here.over()

    note = here.models[1].sent[0]
    assert isinstance(note, do.RemindModel)
    assert [turn.text for turn in note.turns] == ["Hello."]
    assert call["ended_because"] == "caller_hung_up"
    assert call["cost_usd"] == 0.02


def test_a_session_that_names_its_items_like_the_one_before_loses_nothing(house):
    here = house(reply(1, "Hello."), reply(1, "Where were we?"))
    here.until(lambda: here.store.read(export.export_call, SID)["turns"])
    here.models[0].say(ev.SpeechStarted("item_9", at_ms=here.bridge.clock()))
    here.models[0].say(ev.SpeechStopped("item_9", at_ms=here.bridge.clock()))
    here.models[0].say(ev.ModelLost("gone", at_ms=here.bridge.clock()))
    here.until(lambda: len(here.store.read(export.export_call, SID)["turns"]) == 2)
    here.hear(hung_up)

    assert [turn["text"] for turn in here.over()["turns"]] == ["Hello.", "Where were we?"]


def test_a_phone_that_does_not_take_a_write_is_a_lost_line(house):
    here = house()
    here.until(lambda: here.models and here.models[0].sent)
    here.phone.lost = True
    here.models[0].say(*reply(1, "Hello."))

    assert here.over()["ended_because"] == "line_lost"


def test_a_refused_model_sends_the_caller_to_the_tone(house):
    here = house()
    here.until(lambda: here.models and here.models[0].sent)
    here.models[0].say(ev.ModelLost("no money", fatal=True, at_ms=0))
    call = here.over()

    assert here.phone.closed[0] == 1011
    assert call["ended_because"] == "model_failed"


def test_leaving_closes_the_stream_as_going_away(house):
    here = house(reply(1, "Hello."))
    here.until(lambda: here.phone.played)
    assert here.live_calls.has(SID)
    assert here.live_calls.cost_usd() == 0.01
    here.live_calls.close_all()
    call = here.over()

    assert here.phone.closed[0] == 1001
    assert call["ended_because"] == "shut_down"
    assert not here.live_calls.has(SID)


def test_a_fault_of_ours_closes_the_stream_and_keeps_the_call(tmp_path):
    here = House(tmp_path, reply(1, "Hello."))

    def fault(payload: bytes) -> None:
        raise ZeroDivisionError

    here.phone.play = fault
    with pytest.raises(ZeroDivisionError):
        here.live_calls.serve(here.bridge)

    assert here.phone.closed == [1011]
    assert not here.live_calls.has(SID)
    call = here.store.read(export.export_call, SID)
    assert call["ended_because"] == "model_failed"


# --- the keypad ------------------------------------------------------------------

ran: list[str] = []  # what the tool below has really done, in this test


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    ran.clear()


def ask_for_a_key(context: ToolContext, arguments: Arguments) -> ToolResult:
    return ToolResult({"ok": True, "waits_for_key": "1"}, ev.ThenConfirm())


def really_do_it(context: ToolContext, arguments: Arguments) -> ToolResult:
    ran.append(f"{context.trust} {context.tool_call_id}")
    return ToolResult({"ok": True, "cancelled": "Lunch"})


CANCEL = Tool(
    "cancel_event", "Cancels.", Arguments, ask_for_a_key, frozenset({"owner"}), confirmed=really_do_it
)


def test_the_right_pin_raises_the_level_before_the_model_is_told(house):
    here = house(reply(1, "Hello."), reply(2, "Hello, owner."), plan=PIN_PLAN, tools=[CANCEL],
                 check_pin=lambda digits: digits == "123456")  # fmt: skip
    here.until(lambda: here.phone.played)
    here.press("123456#")
    here.until(lambda: here.sent(do.CreateReply)[1:])

    assert here.toolbox.trust == "owner"
    (declared,) = here.sent(do.DeclareTools)
    assert [tool["name"] for tool in declared.tools] == ["cancel_event"]
    assert here.sent(do.CreateReply)[1].ask == "Right."
    here.hear(hung_up)
    here.over()


@pytest.mark.parametrize("check_pin", [None, lambda digits: False])
def test_a_wrong_pin_changes_nothing(house, check_pin):
    here = house(reply(1, "Hello."), reply(2, "No."), plan=PIN_PLAN, tools=[CANCEL], check_pin=check_pin)
    here.until(lambda: here.phone.played)
    here.press("123456#")
    here.until(lambda: here.sent(do.CreateReply)[1:])

    assert here.sent(do.CreateReply)[1].ask == "Wrong."
    assert here.sent(do.DeclareTools) == []
    assert here.toolbox.trust == "stranger"
    here.hear(hung_up)
    here.over()


def test_a_pin_that_could_not_be_compared_is_not_called_wrong(house):
    here = house(reply(1, "Hello."), reply(2, "No."), plan=PIN_PLAN, check_pin=lambda digits: None)
    here.until(lambda: here.phone.played)
    here.press("123456#")
    here.until(lambda: here.sent(do.CreateReply)[1:])

    assert here.sent(do.CreateReply)[1].ask == "Later."
    assert here.toolbox.trust == "stranger"
    here.hear(hung_up)
    here.over()


def test_digits_are_compared_beside_the_call(house):
    go_on = threading.Event()
    here = house(reply(1, "Hello."), plan=PIN_PLAN, check_pin=lambda digits: go_on.wait(10))
    here.until(lambda: here.phone.played)
    here.press("123456#")
    here.hear(lambda at_ms: ev.CallerAudio(b"\x2a" * 160, at_ms, at_ms=at_ms))
    here.until(lambda: here.sent(do.HearCaller))  # the call goes on
    assert here.sent(do.DeclareTools) == []
    go_on.set()
    here.until(lambda: here.sent(do.DeclareTools))

    assert here.sent(do.HearCaller)[0].payload == b"\xff" * 160
    here.hear(hung_up)
    here.over()


def test_no_digit_is_kept_or_logged(house, caplog, tmp_path):
    caplog.set_level("DEBUG")
    here = house(reply(1, "Hello."), reply(2, "No."), plan=PIN_PLAN, check_pin=lambda digits: False)
    here.until(lambda: here.phone.played)
    here.press("864209#")
    here.until(lambda: here.sent(do.CreateReply)[1:])
    here.hear(hung_up)

    assert "864209" not in str(here.over())
    assert "864209" not in caplog.text + repr(here.models[0].sent)
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and b"864209" in file.read_bytes()]


def test_what_a_key_confirms_is_run_once_kept_and_told(house):
    here = house(
        reply(1, "Hello.", ev.ToolCall("tc_1", "cancel_event", '{}')), reply(2, "Press 1 to cancel lunch."),
        reply(3, "Done."), tools=[CANCEL], trust="owner",
    )  # fmt: skip
    here.until(lambda: here.sent(do.AnswerTool))
    assert ran == []
    here.press("1")
    here.until(lambda: here.sent(do.ReportTool))
    here.hear(hung_up)
    call = here.over()

    assert ran == ["owner tc_1"]
    assert here.sent(do.ReportTool) == [
        do.ReportTool("cancel_event", {"ok": True, "cancelled": "Lunch"}, confirmed=True)
    ]
    assert [(run["name"], run["result"]) for run in call["tool_runs"]] == [
        ("cancel_event", {"ok": True, "waits_for_key": "1"}),
        ("cancel_event", {"ok": True, "cancelled": "Lunch"}),
    ]


def test_what_was_confirmed_is_done_and_kept_though_the_caller_hangs_up(house):
    here = house(reply(1, "Hello.", ev.ToolCall("tc_1", "cancel_event", "{}")), tools=[CANCEL], trust="owner")
    here.until(lambda: here.sent(do.AnswerTool))
    here.press("1")
    here.hear(hung_up)

    assert len(here.over()["tool_runs"]) == 2
    assert ran == ["owner tc_1"]


def test_of_two_that_want_a_key_at_once_one_is_told_that_it_cannot(house):
    both = [ev.ToolCall(f"tc_{number}", "cancel_event", "{}") for number in (1, 2)]
    here = house(reply(1, "Hello.", *both), tools=[CANCEL], trust="owner")
    here.until(lambda: len(here.sent(do.AnswerTool)) == 2)
    answers = {answer.tool_call_id: answer.output for answer in here.sent(do.AnswerTool)}
    waits, refused = sorted(answers, key=lambda tool_call_id: not answers[tool_call_id]["ok"])
    here.press("1")
    here.hear(hung_up)
    call = here.over()

    assert answers[waits] == {"ok": True, "waits_for_key": "1"}
    assert (answers[refused]["error"], answers[refused]["message"]) == ("not_available", ONE_AT_A_TIME)
    assert ran == [f"owner {waits}"]
    assert len(call["tool_runs"]) == 3


def test_what_was_dropped_leaves_the_key_to_the_next(house):
    here = house(
        reply(1, "Hello.", ev.ToolCall("tc_1", "cancel_event", "{}")), reply(2, "Press 1 to cancel lunch."),
        reply(3, "Dinner?", ev.ToolCall("tc_2", "cancel_event", "{}")), tools=[CANCEL], trust="owner",
        plan=PIN_PLAN,
    )  # fmt: skip
    here.until(lambda: here.sent(do.CreateReply)[1:])
    here.press("2#")
    here.until(lambda: here.sent(do.AnswerTool)[1:])
    here.hear(lambda at_ms: ev.CallerPressed("1", at_ms=at_ms + 1_000))  # not in one breath with the others
    here.hear(hung_up)
    here.over()

    assert [answer.output["ok"] for answer in here.sent(do.AnswerTool)] == [True, True]
    assert ran == ["owner tc_2"]
