"""The caller's phone, as the bridge knows it: hear, play, mark, clear, hang up, transfer, close.

One thread hears; any thread writes, one at a time. Closing the stream does not end the call: Twilio goes
on with what follows it in its document, which is the apology and the tone. Ending the call is asked for
over REST.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from assistant.call.commands import ClearPlayback, PlaceMark, Play
from assistant.call.events import CallerGone, Event
from assistant.channel import NORMAL, Channel, ChannelClosed
from assistant.errors import PhoneLost, RestError
from assistant.frames import TEXT
from assistant.telephony import streams

log = logging.getLogger(__name__)

REST_S = 5.0  # a hang-up that fails is tried again soon, so no try may take long
MOST_MALFORMED = 20
NOT_TEXT, NOT_OURS = 1003, 1008  # WebSocket close codes

Within = Callable[[float], AbstractContextManager[Any]]


class RestSide(Protocol):
    """What is used of `rest.Rest`."""

    def hang_up(self, call_sid: str) -> None: ...
    def update(self, call_sid: str, twiml: str) -> None: ...


class TwilioPhone:
    """One media stream. rest: None where there is no REST side.

    ring_owner: makes the document that rings the owner's phone; it is told what the owner is to hear of why.
    Raises RestError where nobody can be rung. not_rung: undoes it, when Twilio does not take the document.
    """

    def __init__(
        self,
        channel: Channel,
        stream_sid: str,
        call_sid: str,
        rest: RestSide | None,
        within: Within = nullcontext,
        ring_owner: Callable[[str], str] | None = None,
        not_rung: Callable[[], None] = lambda: None,
    ) -> None:
        self._channel = channel
        self._stream_sid = stream_sid
        self._call_sid = call_sid
        self._rest = rest
        self._within = within
        self._ring_owner = ring_owner
        self._not_rung = not_rung
        self._malformed = 0
        self._held: list[bytes] = []
        self._hung_up = False

    # --- from the caller -----------------------------------------------------

    def hear(self, clock: Callable[[], int]) -> Event:
        """The next event; blocks. The last is CallerGone, and it is all there is from then on.

        `hung_up` is True when the stream said so; a socket that is just gone proves nothing.
        """
        while not self._hung_up:
            try:
                opcode, text = self._channel.read()
            except ChannelClosed:
                break
            if event := self._read(opcode, text, clock()):
                self._hung_up = isinstance(event, CallerGone)
                return event
        return CallerGone(hung_up=self._hung_up, at_ms=clock())

    def _read(self, opcode: int, text: bytes, at_ms: int) -> Event | None:
        try:
            if opcode != TEXT:
                raise streams.MalformedMessage("a binary frame")
            event = streams.read(text, at_ms)
        except streams.MalformedMessage as error:
            self._note_malformed(error, NOT_OURS if opcode == TEXT else NOT_TEXT)
            return None
        return event if isinstance(event, Event) else None

    def _note_malformed(self, error: streams.MalformedMessage, code: int) -> None:
        self._malformed += 1
        if self._malformed == 1:
            log.warning("%s: the stream sent %s", self._call_sid, error)
        if self._malformed == MOST_MALFORMED:
            self.close(code, "not a media stream")

    # --- to the caller -------------------------------------------------------

    def play(self, payload: bytes) -> None:
        """Queue a piece of the assistant's voice, with the next `send_held`."""
        self._held.append(streams.write(Play(payload), self._stream_sid))

    def mark(self, name: str) -> None:
        """Ask to be told when everything queued so far has been played, with the next `send_held`."""
        self._held.append(streams.write(PlaceMark(name), self._stream_sid))

    def clear(self) -> None:
        """Throw away what has not been played, at once. Raises PhoneLost."""
        self._held.append(streams.write(ClearPlayback(), self._stream_sid))
        self.send_held()

    def send_held(self) -> None:
        """Send what is to be played, and its marks, in one go: a write costs more than all the rest.

        Raises PhoneLost.
        """
        if not self._held:
            return
        held, self._held = self._held, []
        try:
            self._channel.write(*held)
        except ChannelClosed as error:
            raise PhoneLost(f"the phone's socket does not take a write: {error}") from error

    # --- about the call ------------------------------------------------------

    def hang_up(self) -> None:
        """End the call. Raises RestError."""
        self._ask(lambda rest: rest.hang_up(self._call_sid))

    def transfer(self, reason: str) -> None:
        """Have the owner's phone rung in place of this stream, which ends. Raises RestError."""
        if self._ring_owner is None:
            raise RestError("there is no phone of the owner's to ring")
        document = self._ring_owner(reason)
        try:
            self._ask(lambda rest: rest.update(self._call_sid, document))
        except RestError:
            self._not_rung()
            raise

    def _ask(self, question: Callable[[RestSide], None]) -> None:
        if self._rest is None:
            raise RestError("there is no REST side to ask")
        try:
            with self._within(REST_S):
                question(self._rest)
        except TimeoutError as error:
            raise RestError("Twilio takes too long to answer") from error

    def close(self, code: int, reason: str) -> None:
        """Close the stream; quick, and harmless a second time. Whoever hears comes to an end."""
        self._channel.close(NORMAL if self._hung_up else code, reason)
