"""A call whose phone or model stops reading, or says far too much at once: between real sockets.

The bridge, the phone's stream, the model's client and the store are the house's own; the two far ends are
wsproto's, on sockets that hold little. Nothing may wait without bound, and nothing may be lost quietly.
"""

from __future__ import annotations

import base64
import json
import queue
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from wsproto.events import TextMessage
from wsproto.utilities import LocalProtocolError

from assistant import channel, inbox
from assistant.bridge import Bridge
from assistant.calendars.diary import Diary
from assistant.call.events import ShutDown
from assistant.call.machine import Call
from assistant.call.plan import CallPlan
from assistant.channel import Channel
from assistant.live import Live
from assistant.realtime import client
from assistant.realtime.client import ModelAddress, RealtimeClient
from assistant.realtime.session import SessionWish
from assistant.store import calls, export
from assistant.store.schema import as_time
from assistant.store.writer import Store
from assistant.telephony.phone import TwilioPhone
from assistant.tools.toolbox import Toolbox, ToolContext
from tests.far_socket import FarSocket

WAIT_S = 10.0
STALL_S = 2.5  # a write that stalls is given up after 2 s, and that is looked at four times a second
SLACK_S = 0.7  # for a busy machine
A_FEW = 8  # events beyond the most: one for each reader, and what the house puts itself
CALL_SID, STREAM_SID = "CA" + "1" * 32, "MZ" + "2" * 32
LITTLE = 16_384  # bytes of a socket's buffer
FRAME_MS = 20
BYTES_PER_MS = 8
OPENING = "Hello."
SILENCE = b"\xff" * 160


def wait_until(holds: Callable[[], object], within_s: float = WAIT_S) -> None:
    until = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.005)


def beside(do: Callable[[], object]) -> threading.Thread:
    """Do that in a thread of its own, until it is done or its socket is gone."""

    def run() -> None:
        with suppress(OSError, LocalProtocolError):
            do()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def in_base64(payload: bytes) -> str:
    return base64.b64encode(payload).decode()


class Model:
    """The far end of one session."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = FarSocket(sock, client=False)
        self.told = 0
        self.heard: list[dict[str, Any]] = []

    def tell(self, kind: str, **more: Any) -> None:
        self.socket.tell(json.dumps({"type": kind, "event_id": "e", **more}))
        self.told += 1

    def hear(self, kind: str = "") -> dict[str, Any]:
        """What comes next; of this kind, if one is named."""
        while True:
            message: dict[str, Any] = json.loads(self.socket.next_text())
            if kind in ("", message["type"]):
                return message

    def listen(self) -> None:
        """Read on, and keep what is heard."""

        def listen() -> None:
            while isinstance(event := self.socket.next(), TextMessage):
                self.heard.append(json.loads(event.data))

        beside(listen)

    def heard_of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.heard.copy() if message["type"] == kind]

    def agree(self) -> None:
        self.tell("session.created", session={})
        self.tell("session.updated", session=self.hear("session.update")["session"])

    def begin(self, number: int, text: str) -> None:
        """Begin a reply that says this."""
        response_id, item_id = f"resp_{number}", f"item_{number}"
        self.tell("response.created", response={"id": response_id})
        item = {"id": item_id, "type": "message", "role": "assistant"}
        self.tell("conversation.item.added", item=item, previous_item_id=None)
        self.tell(
            "response.output_audio_transcript.delta", response_id=response_id, item_id=item_id, delta=text
        )

    def sound(self, number: int, payload: bytes) -> None:
        self.tell(
            "response.output_audio.delta",
            response_id=f"resp_{number}",
            item_id=f"item_{number}",
            content_index=0,
            delta=in_base64(payload),
        )

    def end(self, number: int, text: str) -> None:
        about: dict[str, Any] = {"response_id": f"resp_{number}", "item_id": f"item_{number}"}
        self.tell("response.output_audio.done", content_index=0, **about)
        self.tell("response.output_audio_transcript.done", transcript=text, **about)
        self.tell("response.done", response={"id": f"resp_{number}", "status": "completed", "output": []})

    def caller_began(self) -> None:
        """The caller is heard to speak."""
        self.tell("input_audio_buffer.speech_started", item_id="item_of_caller", audio_start_ms=0)

    def say(self, number: int, text: str, payload: bytes) -> None:
        self.begin(number, text)
        self.sound(number, payload)
        self.end(number, text)


class Caller:
    """The far end of the phone's stream, which plays at the pace of speech and speaks at it too."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = FarSocket(sock, client=True)
        self.received = bytearray()  # all sound, played or not
        self.played = 0  # bytes of it, or thrown away
        self.marks_returned = 0
        self.cleared_at = 0.0
        self._marks: deque[tuple[int, str]] = deque()
        self._frames = 0
        self._one_at_a_time = threading.RLock()
        self._listens = threading.Event()

    def tell(self, event: str, **more: Any) -> None:
        with self._one_at_a_time:
            self.socket.tell(json.dumps({"event": event, "streamSid": STREAM_SID, **more}))

    def speak(self, payload: bytes) -> None:
        """The next frame."""
        with self._one_at_a_time:
            at_ms, self._frames = self._frames * FRAME_MS, self._frames + 1
            media = {"track": "inbound", "timestamp": str(at_ms), "payload": in_base64(payload)}
            self.tell("media", media=media)

    def listen(self) -> None:
        """Read and play from now on, and send silence."""
        self._listens.set()
        beside(self._play)
        beside(self._read)

    def stop_listening(self) -> None:
        """Read nothing more, once the next message has been read."""
        self._listens.clear()

    def _read(self) -> None:
        while self._listens.is_set() and isinstance(event := self.socket.next(), TextMessage):
            message = json.loads(event.data)
            match message["event"]:
                case "media":
                    self.received += base64.b64decode(message["media"]["payload"])
                case "mark":
                    self._marks.append((len(self.received), message["mark"]["name"]))
                case "clear":
                    self.cleared_at = time.monotonic()
                    self._play_up_to(len(self.received))

    def _play(self) -> None:
        pace, next_at = threading.Event(), time.monotonic()
        while self._listens.is_set():
            next_at += FRAME_MS / 1000
            pace.wait(max(0.0, next_at - time.monotonic()))
            self.speak(SILENCE)
            self._play_up_to(min(self.played + len(SILENCE), len(self.received)))

    def _play_up_to(self, played: int) -> None:
        with self._one_at_a_time:
            self.played = max(self.played, played)
            while self._marks and self._marks[0][0] <= self.played:
                self.tell("mark", mark={"name": self._marks.popleft()[1]})
                self.marks_returned += 1


class Counted(deque[Any]):
    """What waits in an inbox, and the most that ever did."""

    most = 0

    def append(self, one: Any) -> None:
        super().append(one)
        self.most = max(self.most, len(self))


class Scene:
    """One call: the house's parts, and the far ends of its sockets."""

    def __init__(self, tmp_path: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
        self._stack = stack
        self.models: queue.SimpleQueue[Model] = queue.SimpleQueue()
        monkeypatch.setattr(client, "_open", lambda address, readiness: self._model_channel())
        self.store = Store(tmp_path / "afterbeep.db")
        self.store.write(
            calls.begin, CALL_SID, direction="inbound", from_number="+12025550143", to_number="+12025550100",
            forwarded_from=None, caller_name=None, trust="stranger", stir_verstat=None,
            started_at=as_time("2026-11-21T09:00:00.000Z"),
        )  # fmt: skip
        ours, theirs = self._pair()
        made = Channel(ours, client=False, largest_message=1 << 16)
        stack.callback(made.end)
        self.caller = Caller(theirs)
        context = ToolContext(CALL_SID, "+12025550143", "stranger", self.store, Diary(self.store))
        self.bridge = Bridge(
            CALL_SID, Call(CallPlan(opening=OPENING)), TwilioPhone(made, STREAM_SID, CALL_SID, None),
            self._connect, Toolbox(context), self.store, Live(),
        )  # fmt: skip
        self.waiting = self.bridge._inbox._events = Counted()
        self._thread = threading.Thread(target=self.bridge.run, daemon=True)

    def _pair(self) -> tuple[socket.socket, socket.socket]:
        pair = socket.socketpair()
        for sock in pair:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LITTLE)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LITTLE)
        self._stack.callback(pair[1].close)
        return pair

    def _model_channel(self) -> Channel:
        ours, theirs = self._pair()
        self.models.put(Model(theirs))
        made = Channel(ours, client=True, largest_message=client._LARGEST_MESSAGE)
        self._stack.callback(made.end)
        return made

    def _connect(self, clock: Callable[[], int]) -> RealtimeClient:
        wish = SessionWish(model="gpt-realtime-2.1", instructions="Be brief.")
        return RealtimeClient(ModelAddress("http://127.0.0.1:1/v1", wish.model, "none"), wish, clock=clock)

    def begin(self) -> Model:
        """The caller has heard the opening, and listens."""
        self._thread.start()
        self.caller.listen()
        model = self.model()
        model.hear("response.create")
        model.say(1, OPENING, b"\x80" * 100 * BYTES_PER_MS)
        wait_until(lambda: self.kept()["turns"])
        return model

    def model(self) -> Model:
        """The next session, agreed on."""
        model = self.models.get(timeout=WAIT_S)
        model.agree()
        return model

    def kept(self) -> dict[str, Any]:
        return self.store.read(export.export_call, CALL_SID)

    def leave(self) -> None:
        self.bridge.put(ShutDown(at_ms=self.bridge.clock()))
        self._thread.join(WAIT_S)

    def over(self) -> dict[str, Any]:
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()
        return self.kept()


@pytest.fixture
def stalls_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the tests that do not look at how long it takes."""
    monkeypatch.setattr(channel, "STALL_S", 0.5)
    monkeypatch.setattr(channel, "LOOK_S", 0.05)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    with ExitStack() as stack:
        made = Scene(tmp_path, stack, monkeypatch)
        yield made
        made.leave()


# --- the caller's side stops reading -----------------------------------------------------


def test_a_phone_that_stops_reading_is_a_lost_line_and_the_model_is_not_read_meanwhile(scene: Scene):
    """Not reading is all it stops: what it says is too much as well."""
    model = scene.begin()
    model.listen()
    offered = 20_000
    scene.caller.stop_listening()
    model.begin(2, "This will never be heard to its end.")

    def flood() -> None:
        for _ in range(offered):
            model.sound(2, b"\x90" * 100 * BYTES_PER_MS)

    def chatter() -> None:
        for _ in range(offered):
            scene.caller.speak(b"\xfe" * 160)

    began = time.monotonic()
    flooding, chattering = beside(flood), beside(chatter)
    wait_until(lambda: len(scene.waiting) > inbox.MOST_WAITING)
    call = scene.over()

    assert time.monotonic() - began < STALL_S + SLACK_S
    assert call["ended_because"] == "line_lost"
    assert scene.waiting.most <= inbox.MOST_WAITING + A_FEW
    assert model.told < 2 * inbox.MOST_WAITING  # of what was offered: it could not get rid of more
    first, second = call["turns"]
    assert (first["text"], first["heard_ms"]) == (OPENING, 100)
    assert second["text"].startswith("This will never")
    assert second["interrupted"]
    assert 0 < second["heard_ms"] < 1_000
    for thread in (flooding, chattering):
        thread.join(WAIT_S)
        assert not thread.is_alive()


def test_a_phone_that_does_not_take_a_flood_is_lost_once(scene: Scene, stalls_soon: None):
    model = scene.begin()
    model.listen()
    scene.caller.stop_listening()
    flood(model, 480, 480_000)

    assert scene.over()["ended_because"] == "line_lost"
    assert scene.waiting.most <= inbox.MOST_WAITING + A_FEW


# --- the model stops reading ---------------------------------------------------------------


def numbered(number: int) -> bytes:
    """A frame of the caller's that can be told from the others, and from silence."""
    return number.to_bytes(2, "big") * 80


def numbers_heard(model: Model) -> list[int]:
    payloads = [base64.b64decode(message["audio"]) for message in model.heard_of("input_audio_buffer.append")]
    return [int.from_bytes(payload[:2], "big") for payload in payloads if payload != SILENCE]


@pytest.mark.parametrize("speaks", [False, True], ids=["silent", "speaking"])
def test_what_is_said_to_a_model_that_has_stopped_reading_is_heard_by_the_next(
    scene: Scene, stalls_soon: None, speaks: bool
):
    first = scene.begin()
    said = 400
    speaking = beside(lambda: [scene.caller.speak(numbered(number)) for number in range(said)])
    if speaks:
        first.begin(2, "I am not listening.")
        beside(lambda: [first.sound(2, b"\x90" * 100 * BYTES_PER_MS) for _ in range(20_000)])

    second = scene.model()
    second.listen()
    wait_until(lambda: numbers_heard(second)[-1:] == [said - 1])
    heard = numbers_heard(second)
    assert heard == list(range(heard[0], said))
    speaking.join(WAIT_S)

    for number in range(said, said + 50):
        scene.caller.speak(numbered(number))
    wait_until(lambda: numbers_heard(second)[-1] == said + 49)
    assert numbers_heard(second) == list(range(heard[0], said + 50))
    assert scene.waiting.most <= inbox.MOST_WAITING + A_FEW

    answer = b"\xa0" * 100 * BYTES_PER_MS
    second.say(1, "Where were we?", answer)
    wait_until(lambda: scene.caller.received.endswith(answer))
    scene.caller.tell("stop")
    assert scene.over()["ended_because"] == "caller_hung_up"


# --- the model says far too much at once ---------------------------------------------------

FLOODS = pytest.mark.parametrize(
    ("seconds", "delta_ms"),
    [(60, 100), (60, 60_000), (480, 480_000)],
    ids=["a minute", "a minute at once", "5 MB at once"],
)


def flood(model: Model, seconds: int, delta_ms: int) -> bytes:
    """Say a great deal, no millisecond of which is like another; returns it."""
    sound = b"".join(number.to_bytes(4, "big") * 2 for number in range(seconds * 1_000))
    model.begin(2, "A very long story.")
    for at in range(0, len(sound), delta_ms * BYTES_PER_MS):
        model.sound(2, sound[at : at + delta_ms * BYTES_PER_MS])
    return sound


@FLOODS
def test_a_flood_is_played_in_order_and_how_much_was_heard_is_known(
    scene: Scene, seconds: int, delta_ms: int
):
    model = scene.begin()
    model.listen()
    before = len(scene.caller.received)
    sound = flood(model, seconds, delta_ms)
    wait_until(lambda: len(scene.caller.received) == before + len(sound))
    assert scene.caller.received[before:] == sound

    returned = scene.caller.marks_returned
    wait_until(lambda: scene.caller.marks_returned > returned + 2)
    asked_at = time.monotonic()
    played_ms = (scene.caller.played - before) // BYTES_PER_MS
    model.caller_began()
    wait_until(lambda: model.heard_of("conversation.item.truncate"))
    assert scene.caller.cleared_at - asked_at < 1
    (truncated,) = model.heard_of("conversation.item.truncate")
    assert abs(truncated["audio_end_ms"] - played_ms) < 300
    assert scene.waiting.most <= inbox.MOST_WAITING + A_FEW


@FLOODS
def test_a_caller_can_interrupt_a_flood_that_has_not_all_been_played_yet(
    scene: Scene, seconds: int, delta_ms: int
):
    model = scene.begin()
    model.listen()
    before = len(scene.caller.received)
    sound = flood(model, seconds, delta_ms)
    asked_at = time.monotonic()
    model.caller_began()
    wait_until(lambda: scene.caller.cleared_at)

    assert scene.caller.cleared_at - asked_at < 1
    assert scene.caller.received[before:] == sound  # it went out before, in order
    wait_until(lambda: model.heard_of("conversation.item.truncate"))
