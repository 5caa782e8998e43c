"""WebSocket data frames: bytes of an upgraded socket into messages, and messages into bytes.

A call is fifty frames a second each way on two sockets, so this is where the program spends its
time. The libraries that shake hands read a frame in many small steps, because they also know
extensions, streams of any size and other versions. After the handshake ours are simple: no
extension was agreed, and nearly every `recv` brings one whole text frame of some hundred bytes.
That case is read in one step. Everything else takes the long way, which is also the one that
decides what is refused.

Pure: no socket, no clock. Handshakes, timeouts and answers (a pong, a close) are the caller's.
Source: RFC 6455, sections 5 to 8; each refusal is the close code to answer with.
"""

from __future__ import annotations

import codecs
from os import urandom
from struct import Struct

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10  # opcodes; 0 is a continuation

PROTOCOL_ERROR, NOT_UTF8, TOO_BIG = 1002, 1007, 1009  # close codes
NO_CODE = 1005  # what stands for the code of a close that has none; never on the wire

Message = tuple[int, bytes]  # opcode and payload, whole and unmasked

_FINAL = 0x80
_MASKED = 0x80
_TWO_BYTES, _EIGHT_BYTES = 126, 127  # what stands for the length when it follows
_MOST_IN_CONTROL = 125
_MOST_IN_TWO_BYTES = 0xFFFF

# The first bytes that may come now: final or first fragments, or their continuations. No other bit
# is free: the three reserved ones belong to extensions, and control frames come in one piece.
_CONTROL = frozenset({_FINAL | CLOSE, _FINAL | PING, _FINAL | PONG})
_BEGINS = _CONTROL | {_FINAL | TEXT, TEXT, _FINAL | BINARY, BINARY}
_GOES_ON = _CONTROL | {_FINAL, 0}

# 1012 to 1014 were registered after the RFC; 1004 to 1006 and 1015 are for use inside programs only.
_KNOWN_CODES = frozenset({*range(1000, 1004), *range(1007, 1015)})

_PLAIN = _FINAL | TEXT
_LONGEST_PLAIN_HEAD = 8

_HEAD = Struct(">HH")
_HEAD_AND_KEY = Struct(">HH4s")
_TEXT_HEAD = (_FINAL | TEXT) << 8 | _TWO_BYTES
_MASKED_TEXT_HEAD = _TEXT_HEAD | _MASKED


class FrameError(ValueError):
    """What the other side may not send. `code`: the close code to answer with; `reason`: its words.

    `messages` are those that were complete before it, in the same bytes.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{reason} ({code})")
        self.code = code
        self.reason = reason
        self.messages: list[Message] = []


# --- masking -----------------------------------------------------------------


def _xored(data: bytes | bytearray | memoryview, mask: bytes | bytearray) -> bytes:
    """The data with the four bytes of the mask laid over it, again and again: masks and unmasks."""
    size = len(data)
    cover = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "big") ^ int.from_bytes(cover, "big")).to_bytes(size, "big")


try:
    # The same in C: a tenth of the time for 300 bytes, a fortieth for 5 MB.
    from websockets.speedups import apply_mask as _masked
except ImportError:  # installed without its compiled part
    _masked = _xored

_SOME_KEYS = Struct("4s" * 64)
_keys: list[bytes] = []


def _new_key() -> bytes:
    """Four bytes that nobody can foresee. To ask the system each time would cost as much as the frame."""
    try:
        return _keys.pop()
    except IndexError:
        key, *others = _SOME_KEYS.unpack(urandom(_SOME_KEYS.size))
        _keys.extend(others)  # one step, so threads may share the list
        return bytes(key)


# --- writing -----------------------------------------------------------------


def text_frame(payload: bytes) -> bytes:
    """A server's text message, in UTF-8, as one frame."""
    size = len(payload)
    if _MOST_IN_CONTROL < size <= _MOST_IN_TWO_BYTES:
        return _HEAD.pack(_TEXT_HEAD, size) + payload
    return frame(TEXT, payload, mask=False)


def masked_text_frame(payload: bytes) -> bytes:
    """A client's text message, in UTF-8, as one frame."""
    size = len(payload)
    if _MOST_IN_CONTROL < size <= _MOST_IN_TWO_BYTES:
        key = _new_key()
        return _HEAD_AND_KEY.pack(_MASKED_TEXT_HEAD, size, key) + _masked(payload, key)
    return frame(TEXT, payload, mask=True)


def frame(opcode: int, payload: bytes = b"", *, mask: bool) -> bytes:
    """One whole, final frame. mask: True on the client's side. ValueError: a control frame too long."""
    size = len(payload)
    masked_bit = _MASKED if mask else 0
    first = _FINAL | opcode
    if size <= _MOST_IN_CONTROL:
        head = bytes((first, masked_bit | size))
    elif opcode >= CLOSE:
        raise ValueError(f"a control frame holds {_MOST_IN_CONTROL} bytes, not {size}")
    elif size <= _MOST_IN_TWO_BYTES:
        head = bytes((first, masked_bit | _TWO_BYTES)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, masked_bit | _EIGHT_BYTES)) + size.to_bytes(8, "big")
    if not mask:
        return head + payload
    key = _new_key()
    return head + key + _masked(payload, key)


def close_frame(code: int, reason: str = "", *, mask: bool) -> bytes:
    """A close; a long reason is cut between two characters. ValueError: a code that is never sent.

    To answer one, send its payload back: `frame(CLOSE, payload, mask=...)`.
    """
    if not _may_be_sent(code):
        raise ValueError(f"{code} is never sent")
    words = reason.encode()[: _MOST_IN_CONTROL - 2].decode(errors="ignore")
    return frame(CLOSE, code.to_bytes(2, "big") + words.encode(), mask=mask)


# --- reading -----------------------------------------------------------------


class FrameReader:
    """One direction of one socket. Used by one reader.

    masked: True when the other side is a client, whose frames must be masked; a server's must not be.
    largest_message: in bytes; what announces more is refused before it comes.
    """

    def __init__(self, *, masked: bool, largest_message: int) -> None:
        self._masked = masked
        self._largest = largest_message
        self._mask_bit = _MASKED if masked else 0
        self._key_size = 4 if masked else 0
        self._between = True  # nothing has been begun, nor is all over
        self._over = False
        self._rest = bytearray()  # a frame that is not whole yet
        self._needed = 0  # as long as `_rest` is shorter, nothing new can be said about it
        self._may_come = _BEGINS
        self._opcode = 0  # of the message whose fragments are coming
        self._fragments = bytearray()
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def feed(self, data: bytes) -> list[Message]:
        """The messages and control frames that these bytes complete. Raises FrameError.

        Text is UTF-8 that has been checked; the payload of a close is what `closing` reads.
        After a close or an error nothing is read any more.
        """
        messages: list[Message] = []
        read = self._read_plain(data, messages) if self._between else 0
        if read < len(data):
            self._feed(data[read:] if read else data, messages)
        return messages

    def _read_plain(self, data: bytes, messages: list[Message]) -> int:
        """The quick way: read whole text messages in ASCII, each in one frame, which is nearly all there is.

        Returns how many bytes they were; what follows is read the long way.
        """
        at, end = 0, len(data)
        while end - at > _LONGEST_PLAIN_HEAD:
            length = data[at + 1] ^ self._mask_bit
            payload_at = at + 2 + self._key_size
            if data[at] != _PLAIN or length >= _EIGHT_BYTES:
                break
            if length == _TWO_BYTES:
                length = data[at + 2] << 8 | data[at + 3]
                payload_at += 2
                if length <= _MOST_IN_CONTROL:
                    break
            stop = payload_at + length
            if stop > end or length > self._largest:
                break
            payload = data[payload_at:stop]
            if self._masked:
                payload = _masked(payload, data[payload_at - 4 : payload_at])
            if not payload.isascii():
                break
            messages.append((TEXT, payload))
            at = stop
        return at

    def _feed(self, data: bytes | bytearray, messages: list[Message]) -> None:
        if self._over:
            return
        if self._rest:
            self._rest += data
            if len(self._rest) < self._needed:
                return
            data = self._rest
        try:
            unread = self._read_frames(memoryview(data), messages)
        except FrameError as error:
            error.messages = messages
            self._end()
            raise
        if not self._over:
            self._rest = bytearray(unread)
            self._between = not (self._rest or self._opcode)

    def _end(self) -> None:
        self._over, self._between = True, False
        self._rest, self._fragments = bytearray(), bytearray()

    def _read_frames(self, data: memoryview, messages: list[Message]) -> memoryview:
        """Read the frames that are whole; returns what is left: the beginning of one."""
        while not self._over:
            payload_at = self._read_head(data)
            if len(data) < self._needed:
                break
            message = self._take(data[0], self._plain(data, payload_at))
            if message is not None:
                messages.append(message)
            data = data[self._needed :]
        return data

    def _plain(self, data: memoryview, payload_at: int) -> bytes:
        payload = data[payload_at : self._needed]
        if self._masked:
            return _masked(payload, bytes(data[payload_at - 4 : payload_at]))
        return bytes(payload)

    def _read_head(self, data: memoryview) -> int:
        """Where the payload begins. Sets `_needed`: the frame's size, or what it takes to learn it."""
        self._needed = 2
        if len(data) < 2:
            return 0
        length = self._checked(data[0], data[1])
        head_size = 2
        if length > _MOST_IN_CONTROL:
            self._needed = head_size = 4 if length == _TWO_BYTES else 10
            if len(data) < head_size:
                return 0
            length = _long_length(data[2:head_size])
        if data[0] not in _CONTROL and length + len(self._fragments) > self._largest:
            raise FrameError(TOO_BIG, f"a message of more than {self._largest} bytes")
        if self._masked:
            head_size += 4
        self._needed = head_size + length
        return head_size

    def _checked(self, first: int, second: int) -> int:
        """The short length, when both bytes may stand there."""
        if first not in self._may_come:
            raise FrameError(PROTOCOL_ERROR, _what_is_wrong(first))
        if bool(second & _MASKED) != self._masked:
            raise FrameError(PROTOCOL_ERROR, "a frame without a mask" if self._masked else "a masked frame")
        length = second & ~_MASKED
        if first in _CONTROL and length > _MOST_IN_CONTROL:
            raise FrameError(PROTOCOL_ERROR, "a control frame that is too long")
        return length

    def _take(self, first: int, payload: bytes) -> Message | None:
        """What a whole frame completes."""
        opcode, final = first & 0xF, bool(first & _FINAL)
        if opcode >= CLOSE:
            if opcode == CLOSE:
                closing(payload)
                self._end()
            return opcode, payload
        if opcode and final:
            if opcode == TEXT and not payload.isascii():
                self._check_text(payload, final)
            return opcode, payload
        return self._take_fragment(opcode, final, payload)

    def _take_fragment(self, opcode: int, final: bool, payload: bytes) -> Message | None:
        if opcode:
            self._opcode, self._may_come = opcode, _GOES_ON
        # Not a list: empty fragments cost nothing, and there may be any number of them.
        self._fragments += payload
        if self._opcode == TEXT:
            self._check_text(payload, final)
        if not final:
            return None
        message = self._opcode, bytes(self._fragments)
        self._opcode, self._may_come, self._fragments = 0, _BEGINS, bytearray()
        return message

    def _check_text(self, payload: bytes, final: bool) -> None:
        """A character may begin in one fragment and end in the next."""
        try:
            self._decoder.decode(payload, final)
        except UnicodeDecodeError as error:
            raise FrameError(NOT_UTF8, "text that is not UTF-8") from error


def closing(payload: bytes) -> tuple[int, str]:
    """The code and the reason of a close; NO_CODE when there is none. Raises FrameError."""
    if not payload:
        return NO_CODE, ""
    code = int.from_bytes(payload[:2], "big")
    if not _may_be_sent(code):  # nor is a single byte ever one
        raise FrameError(PROTOCOL_ERROR, "a close with a code that is never sent")
    try:
        return code, payload[2:].decode()
    except UnicodeDecodeError as error:
        raise FrameError(NOT_UTF8, "a close with a reason that is not UTF-8") from error


def _may_be_sent(code: int) -> bool:
    return code in _KNOWN_CODES or 3000 <= code < 5000


def _long_length(digits: memoryview) -> int:
    """The length that follows, in two bytes or eight; the RFC wants the shortest form that will do."""
    length = int.from_bytes(digits, "big")
    if length <= (_MOST_IN_CONTROL if len(digits) == 2 else _MOST_IN_TWO_BYTES):
        raise FrameError(PROTOCOL_ERROR, "a length in more bytes than it needs")
    if length >> 63:
        raise FrameError(PROTOCOL_ERROR, "a length beyond all bounds")
    return length


def _what_is_wrong(first: int) -> str:
    """Why a frame may not begin so, or not now."""
    opcode = first & 0xF
    if first & 0x70:
        return "reserved bits that mean nothing here"
    if opcode not in (0, TEXT, BINARY, CLOSE, PING, PONG):
        return "a reserved opcode"
    if opcode >= CLOSE:
        return "a control frame in fragments"
    return "a new message inside another" if opcode else "a continuation of nothing"
