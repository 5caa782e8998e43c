"""A model that answers at once: just enough of the Realtime API's current interface, and no more.

Nobody is understood here. What a session does with what it hears is its `Manner`; all the manners answer
an asked-for opening first, with the words asked for, and agree to every session they are asked for. Frames
are passed on as the base64 they came in.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import re
import time
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any, Literal

import orjson
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

from tests.bench import stamp
from tests.bench.journal import CallNotes
from tests.bench.response import DELTA_MS, Response, Wire

WORDS_EVERY, CALLER_EVERY = 10, 250  # echoed frames: five words a second, a turn every five
TURN_S, SPEECH_MS = 4.0, 3_600  # of a talk: how often it is the model's turn, and how long that sounds
FASTER = 2  # than real time: how fast speech is generated

_AUDIO = b'"audio":"'
_SAY = re.compile(r'nothing else: "([^"]*)"\s*$')


@dataclass(frozen=True, slots=True)
class Manner:
    """How sessions behave.

    echo: each frame comes back in one endless response. talk: a turn of speech every 4 s, as long as real
    time takes. barge: speech that is interrupted over and over, wherever it is. quiet: the opening alone.
    connect_s: from the handshake to `session.created`. speak_s: from `response.create` to its first audio.
    repeats: the opening's transcript is what was asked for, so its sound is worth keeping.
    """

    does: Literal["echo", "talk", "barge", "quiet"] = "quiet"
    connect_s: float = 0.0
    speak_s: float = 0.0
    opening_ms: int = 200
    repeats: bool = True


class Model:
    """The server. Its sessions behave in the manner that is set when they begin."""

    def __init__(self, notes: dict[int, CallNotes]) -> None:
        self.notes = notes
        self.manner = Manner()
        self.sessions: set[Session] = set()
        self.numbers = itertools.count(1)
        self.port = 0

    @property
    def base_url(self) -> str:
        """As `OPENAI_BASE_URL` has it."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def socket_url(self) -> str:
        """Where the sessions are."""
        return f"ws://127.0.0.1:{self.port}/v1/realtime?model=bench"

    async def open(self) -> None:
        """Listen."""
        self._server = await ws_create_server(lambda request: Session(self), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Listen no more."""
        self._server.close()
        await self._server.wait_closed()

    def behave(self, does: Literal["echo", "talk", "barge", "quiet"], **more: Any) -> None:
        """How sessions behave from now on."""
        self.manner = replace(Manner(), does=does, **more)


class Session(WSListener):
    """One session with a server under test."""

    def __init__(self, model: Model) -> None:
        self.items: set[int] = set()
        self._model = model
        self._manner = model.manner
        self._transport: WSTransport | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._notes: CallNotes | None = None  # of the call whose frames come here
        self._last_item = ""
        self._response: Response | None = None
        self._opening = False
        self._echoed = 0

    # --- the socket ----------------------------------------------------------------

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self._model.sessions.add(self)
        self._begin(self._create())

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._transport = None
        self._model.sessions.discard(self)
        for task in self._tasks:
            task.cancel()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        now_ns = time.monotonic_ns()
        if frame.msg_type != WSMsgType.TEXT:
            if frame.msg_type == WSMsgType.CLOSE:
                transport.send_close()
                transport.disconnect()
            return
        message = frame.get_payload_as_bytes()
        at = message.find(_AUDIO)
        if at >= 0:
            self._hear(message, at + len(_AUDIO), now_ns)
        else:
            self._do(orjson.loads(message))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def send(self, kind: str, **fields: Any) -> None:
        """One event, while anybody listens."""
        self.send_bytes(orjson.dumps({"type": kind, "event_id": self._id("event"), **fields}))

    def send_bytes(self, message: bytes) -> None:
        if self._transport is not None:
            self._transport.send(WSMsgType.TEXT, message)

    def new_item(self) -> int:
        """The number of an item with sound."""
        number = next(self._model.numbers)
        self.items.add(number)
        return number

    def _id(self, kind: str) -> str:
        return f"{kind}_{next(self._model.numbers)}"

    # --- what it is told -----------------------------------------------------------

    async def _create(self) -> None:
        await asyncio.sleep(self._manner.connect_s)
        self.send("session.created", session={"type": "realtime", "id": self._id("sess")})

    def _do(self, message: Wire) -> None:
        match message["type"]:
            case "session.update":
                self.send("session.updated", session=message["session"])
            case "response.create":
                self._opening = True
                self._begin(self._speak_opening(message.get("response") or {}))
            case "response.cancel":
                self._stop("cancelled")
            case "input_audio_buffer.commit":
                self._caller_said("And that was all.")
            case "conversation.item.create":
                self.add_item(message["item"])
            case "conversation.item.delete":
                self.send("conversation.item.deleted", item_id=message["item_id"])
            case "conversation.item.truncate":
                self._truncated(message["item_id"], message["audio_end_ms"])

    def _truncated(self, item_id: str, audio_end_ms: int) -> None:
        if self._notes is not None:
            self._notes.truncated_ms[int(item_id.partition("_")[2])] = audio_end_ms
        self.send("conversation.item.truncated", item_id=item_id, content_index=0, audio_end_ms=audio_end_ms)

    def add_item(self, item: Wire) -> str:
        """An item of the conversation, at its end. Returns its id."""
        item = {"id": self._id("item"), "object": "realtime.item", "status": "completed", **item}
        before, self._last_item = self._last_item, item["id"]
        self.send("conversation.item.added", previous_item_id=before or None, item=item)
        self.send("conversation.item.done", previous_item_id=before or None, item=item)
        return str(item["id"])

    # --- what it hears -------------------------------------------------------------

    def _hear(self, message: bytes, at: int, now_ns: int) -> None:
        match stamp.read(message, at):
            case "caller", number, count:
                self._notes = self._model.notes[number]
                self._notes.items = self.items
                self._notes.heard_ns[count] = now_ns
        if self._manner.does == "echo":
            self._echo(message[at : message.index(b'"', at)])
        elif self._response is None and not self._opening and self._manner.does != "quiet":
            self._opening = True  # from now on it speaks by itself
            self._begin(self._talk() if self._manner.does == "talk" else self._be_interrupted())

    def _echo(self, payload: bytes) -> None:
        if self._opening:
            return
        self._response = self._response or Response(self)
        self._response.say(payload)
        self._echoed += 1
        if self._echoed % WORDS_EVERY == 0:
            self._response.words("again ")
        if self._echoed % CALLER_EVERY == 0:
            self._caller_said("And then I said it once more.")

    def _caller_said(self, words: str, item_id: str = "") -> None:
        """The caller's turn is over, and was understood."""
        item_id, before = item_id or self._id("item"), self._last_item or None
        self.send("input_audio_buffer.committed", item_id=item_id, previous_item_id=before)
        content = [{"type": "input_audio", "transcript": None}]
        self.add_item({"id": item_id, "type": "message", "role": "user", "content": content})
        self.send(
            "conversation.item.input_audio_transcription.completed",
            item_id=item_id,
            content_index=0,
            transcript=words,
            usage={"type": "duration", "seconds": 2},
        )

    # --- what it says --------------------------------------------------------------

    async def _speak_opening(self, wish: Wire) -> None:
        asked = _SAY.search(wish.get("instructions") or "")
        words = asked[1] if asked and self._manner.repeats else "I say something else."
        response = self._response = Response(self)
        await asyncio.sleep(self._manner.speak_s)
        for payload in response.speech(self._manner.opening_ms):
            response.say(payload)
        response.words(words)
        response.done()
        self._response, self._opening = None, False

    async def _talk(self) -> None:
        while True:
            response = self._response = Response(self)
            for payload in response.speech(SPEECH_MS):
                response.say(payload)
                response.words("and so on ")
                await asyncio.sleep(DELTA_MS / 1000 / FASTER)
            response.done()
            await asyncio.sleep(TURN_S - SPEECH_MS / 1000 / FASTER - 0.2)
            await self._caller_speaks()

    async def _caller_speaks(self) -> None:
        """What the voice detection makes of it."""
        item_id = self._id("item")
        if self._notes is not None:
            self._notes.barged_ns.append(time.monotonic_ns())
        self.send("input_audio_buffer.speech_started", item_id=item_id, audio_start_ms=0)
        self._stop("cancelled")
        await asyncio.sleep(0.1)
        self.send("input_audio_buffer.speech_stopped", item_id=item_id, audio_end_ms=0)
        self._caller_said("Let me say something.", item_id)
        await asyncio.sleep(0.1)

    async def _be_interrupted(self) -> None:
        """Speech is cut off while it is generated, while it waits at the phone, and near its end."""
        chance = random.Random(next(self._model.numbers))
        while True:
            for _ in range(chance.choice((1, 1, 1, 2))):  # two: one waits behind the other
                self._stop()
                response = self._response = Response(self)
                for payload in response.speech(chance.choice((600, 1_400, 3_000))):
                    response.say(payload)
                    if chance.random() < 0.3:
                        await asyncio.sleep(0.02)
            if chance.random() < 0.7:
                self._stop()
            await asyncio.sleep(chance.uniform(0.02, 0.55))
            await self._caller_speaks()

    def _stop(self, status: str = "completed") -> None:
        """The reply that is being spoken is over, if there is one."""
        if self._response is not None and not self._response.over:
            self._response.done(status)
        self._response = None
