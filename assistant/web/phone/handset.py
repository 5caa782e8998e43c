"""The browser as the bridge knows it: a phone that is not at the telephone company.

It speaks the media stream's own messages. There is nobody to ask for anything about the call: hanging up is
closing the socket, and there is no line that could be passed on to another telephone.
"""

from __future__ import annotations

from collections.abc import Callable

from assistant.call.events import CallerGone, Event
from assistant.channel import NORMAL, Channel, ChannelClosed
from assistant.errors import RestError
from assistant.telephony.phone import TwilioPhone

GOING_AWAY = 1001  # what a browser says that leaves the page
SAID_GOODBYE = frozenset({NORMAL, GOING_AWAY})


class BrowserPhone(TwilioPhone):
    """One call from the browser."""

    def __init__(self, channel: Channel, call_sid: str) -> None:
        super().__init__(channel, stream_sid=call_sid, call_sid=call_sid, rest=None)

    def hear(self, clock: Callable[[], int]) -> Event:
        """The next event; blocks. The last is CallerGone, and it is all there is from then on.

        A browser that closes the socket properly has hung up; one that is just gone is a lost line.
        """
        while not self._hung_up:
            try:
                opcode, text = self._channel.read()
            except ChannelClosed as error:
                self._hung_up = self._hung_up or error.code in SAID_GOODBYE
                break
            if event := self._read(opcode, text, clock()):
                self._hung_up = isinstance(event, CallerGone)
                return event
        return CallerGone(hung_up=self._hung_up, at_ms=clock())

    def hang_up(self) -> None:
        """End the call: there is nothing behind the socket that would go on."""
        self._hung_up = True
        self._channel.close(NORMAL, "hung up")

    def transfer(self, reason: str) -> None:
        """Raises RestError: there is no line to pass on."""
        raise RestError("the browser phone cannot be transferred")
