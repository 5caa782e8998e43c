"""The least a bridge can do: base64 from a phone's socket to a model's, and back. No JSON, no call.

Run as a program with the model's address; it prints the port it listens on. One loop, uvloop under picows,
both written in C: what is left is the sockets' own cost, and the measure for everything else.
"""

from __future__ import annotations

import asyncio
import sys

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect, ws_create_server

_PAYLOAD, _DELTA, _STREAM = b'"payload":"', b'"delta":"', b'"streamSid":"'
_SID_CHARACTERS = 34
_APPEND = b'{"type":"input_audio_buffer.append","audio":"'


class _Caller(WSListener):
    """A phone's socket. Frames wait until the model's is there."""

    def __init__(self, model_url: str) -> None:
        self._model_url = model_url
        self._model: WSTransport | None = None
        self._early: list[bytes] = []
        self.transport: WSTransport | None = None
        self.stream_sid = b""

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        self._task = asyncio.ensure_future(self._connect())

    async def _connect(self) -> None:
        self._model, _ = await ws_connect(lambda: _Model(self), self._model_url)
        if self.transport is None:
            self._model.disconnect()
        for message in self._early:
            self._model.send(WSMsgType.TEXT, message)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        message = frame.get_payload_as_bytes()
        at = message.find(_PAYLOAD)
        if at >= 0:
            at += len(_PAYLOAD)
            append = _APPEND + message[at : message.index(b'"', at)] + b'"}'
            if self._model is not None:
                self._model.send(WSMsgType.TEXT, append)
            else:
                self._early.append(append)
        elif b'"start"' in message:
            at = message.index(_STREAM) + len(_STREAM)
            self.stream_sid = message[at : at + _SID_CHARACTERS]

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.transport = None
        if self._model is not None:
            self._model.disconnect()


class _Model(WSListener):
    """The same call's socket to the model."""

    def __init__(self, caller: _Caller) -> None:
        self._caller = caller

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        caller = self._caller
        if caller.transport is None:
            return
        message = frame.get_payload_as_bytes()
        at = message.find(_DELTA)
        if at >= 0 and b"audio.delta" in message[:40]:
            at += len(_DELTA)
            payload = message[at : message.index(b'"', at)]
            head = b'{"event":"media","streamSid":"' + caller.stream_sid + b'","media":{"payload":"'
            caller.transport.send(WSMsgType.TEXT, head + payload + b'"}}')
        elif b"speech_started" in message:
            caller.transport.send(
                WSMsgType.TEXT, b'{"event":"clear","streamSid":"' + caller.stream_sid + b'"}'
            )


async def _serve(model_url: str) -> None:
    server = await ws_create_server(lambda request: _Caller(model_url), "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(sys.argv[1]))
