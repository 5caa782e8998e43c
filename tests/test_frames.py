"""Frames, bit by bit: the RFC's own examples, what is refused, what is kept. The fuzzing is beside it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ProtocolError
from websockets.frames import Close
from websockets.speedups import apply_mask

from assistant import frames
from assistant.frames import BINARY, CLOSE, PING, PONG, TEXT, FrameError, FrameReader, Message

# Section 5.7.
HELLO = bytes.fromhex("810548656c6c6f")
HELLO_MASKED = bytes.fromhex("818537fa213d7f9f4d5158")
MEDIA = b'{"event":"media","media":{"payload":"' + b"f" * 216 + b'"}}'


def server_side(largest: int = 1000) -> FrameReader:
    """What reads a client's frames."""
    return FrameReader(masked=True, largest_message=largest)


def client_side(largest: int = 1000) -> FrameReader:
    """What reads a server's frames."""
    return FrameReader(masked=False, largest_message=largest)


def raw(first: int, payload: bytes = b"") -> bytes:
    """A server's frame with that first byte."""
    return bytes((first,)) + frames.frame(BINARY, payload, mask=False)[1:]


def refused(reader: FrameReader, data: bytes) -> FrameError:
    with pytest.raises(FrameError) as caught:
        reader.feed(data)
    return caught.value


# --- what is read --------------------------------------------------------------


@pytest.mark.parametrize(
    ("reader", "data", "message"),
    [
        (client_side(), HELLO, (TEXT, b"Hello")),
        (server_side(), HELLO_MASKED, (TEXT, b"Hello")),
        (client_side(), bytes.fromhex("890548656c6c6f"), (PING, b"Hello")),
        (server_side(), bytes.fromhex("8a8537fa213d7f9f4d5158"), (PONG, b"Hello")),
        (client_side(), bytes.fromhex("827e0100") + bytes(256), (BINARY, bytes(256))),
        (client_side(70_000), bytes.fromhex("827f0000000000010000") + bytes(65536), (BINARY, bytes(65536))),
        (client_side(), bytes.fromhex("8100"), (TEXT, b"")),
        (client_side(), bytes.fromhex("8800"), (CLOSE, b"")),
    ],
)
def test_the_examples_of_the_rfc(reader: FrameReader, data: bytes, message: Message):
    assert reader.feed(data) == [message]


def test_fragments_become_one_message():
    reader = client_side()

    assert reader.feed(bytes.fromhex("010348656c")) == []
    assert reader.feed(bytes.fromhex("80026c6f") + HELLO) == [(TEXT, b"Hello"), (TEXT, b"Hello")]


def test_a_ping_between_fragments_does_not_wait_for_them():
    reader = client_side()

    assert reader.feed(raw(TEXT, b"Hel") + raw(0x89, b"there?")) == [(PING, b"there?")]
    assert reader.feed(raw(0x80, b"lo")) == [(TEXT, b"Hello")]


def test_a_character_may_be_cut_by_fragments():
    first, last = "é".encode()[:1], "é".encode()[1:]

    assert client_side().feed(raw(TEXT, first) + raw(0, b"") + raw(0x80, last)) == [(TEXT, "é".encode())]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 300, 65535, 65536, 70_000])
@pytest.mark.parametrize("mask", [True, False])
def test_every_size_is_read_as_it_was_written(size: int, mask: bool):
    reader = FrameReader(masked=mask, largest_message=70_000)
    write = frames.masked_text_frame if mask else frames.text_frame

    assert reader.feed(write(b"a" * size)) == [(TEXT, b"a" * size)]
    assert reader.feed(frames.frame(BINARY, b"\xff" * size, mask=mask)) == [(BINARY, b"\xff" * size)]


@pytest.mark.parametrize("mask", [True, False])
def test_however_the_bytes_are_cut(mask: bool):
    texts = [MEDIA, "Müller".encode() * 40, b"", MEDIA * 3]
    data = b"".join(frames.frame(TEXT, text, mask=mask) for text in texts)

    for step in (1, 7, len(MEDIA), len(data)):
        reader = FrameReader(masked=mask, largest_message=1000)
        heard = [message for i in range(0, len(data), step) for message in reader.feed(data[i : i + step])]
        assert heard == [(TEXT, text) for text in texts], step


@pytest.mark.parametrize("write", [frames.text_frame, frames.masked_text_frame])
def test_a_piece_that_looks_like_a_frame_is_still_a_piece(write: Callable[[bytes], bytes]):
    inner = write(MEDIA)
    outer = b"before" + inner + b"after"
    # Under a mask of zeros the bytes on the wire are the message's own.
    key = bytes(4) if write is frames.masked_text_frame else b""
    head = bytes((0x82, 126 | (0x80 if key else 0))) + len(outer).to_bytes(2, "big") + key
    reader = FrameReader(masked=bool(key), largest_message=1000)

    assert reader.feed(head + b"before") == []
    assert reader.feed(inner) == []
    assert reader.feed(b"after") == [(BINARY, outer)]


# --- what is refused -----------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (raw(0xC1), "reserved bits that mean nothing here"),
        (raw(0x83), "a reserved opcode"),
        (raw(0x09), "a control frame in fragments"),
        (raw(0x80), "a continuation of nothing"),
        (raw(0x01) + raw(0x81), "a new message inside another"),
        (HELLO_MASKED, "a masked frame"),
        (raw(0x88, b"\x03\xed"), "a close with a code that is never sent"),
        (bytes.fromhex("817f0000000100000000"), "a message of more than 1000 bytes"),
    ],
)
def test_the_other_side_is_told_why(data: bytes, reason: str):
    assert refused(client_side(), data).reason == reason


@pytest.mark.parametrize("first", [0xC1, 0xA1, 0x91, 0xF1, 0xC9, 0x40])
def test_reserved_bits_are_refused(first: int):
    assert refused(client_side(), raw(first)).code == 1002


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
def test_reserved_opcodes_are_refused(opcode: int):
    assert refused(client_side(), raw(0x80 | opcode)).code == 1002


@pytest.mark.parametrize("payload", [b"Hello", MEDIA])
def test_a_client_must_mask_and_a_server_must_not(payload: bytes):
    assert refused(server_side(), frames.text_frame(payload)).code == 1002
    assert refused(client_side(), frames.masked_text_frame(payload)).code == 1002


@pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
def test_control_frames_are_short_and_whole(opcode: int):
    assert client_side().feed(raw(0x80 | opcode, b"\x03\xe8" + b"a" * 123))
    assert refused(client_side(), raw(0x80 | opcode, b"\x03\xe8" + b"a" * 124)).code == 1002
    assert refused(client_side(), raw(opcode)).code == 1002


def test_fragments_come_in_their_order():
    assert refused(client_side(), raw(0x80, b"lo")).code == 1002
    assert refused(client_side(), raw(0, b"l")).code == 1002
    assert refused(client_side(), raw(TEXT, b"Hel") + raw(0x81, MEDIA)).code == 1002
    assert refused(client_side(), raw(TEXT, b"Hel") + raw(BINARY, b"lo")).code == 1002


def test_a_whole_message_inside_a_fragmented_one_is_refused_in_a_read_of_its_own():
    reader = client_side()
    reader.feed(raw(TEXT, b"Hel"))

    assert refused(reader, frames.text_frame(MEDIA)).code == 1002


@pytest.mark.parametrize("head", ["817e007d", "827e0000", "817f000000000000ffff", "827f0000000000000001"])
def test_a_length_has_its_shortest_form(head: str):
    """websockets reads these; the RFC (5.2) says "the minimal number of bytes MUST be used"."""
    assert refused(client_side(1 << 17), bytes.fromhex(head)).code == 1002


def test_a_length_has_63_bits():
    assert refused(client_side(), bytes.fromhex("827f8000000000000000")).code == 1002


@pytest.mark.parametrize(
    "text", [b"\xff", b"a" * 200 + b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80"]
)
def test_text_is_utf8(text: bytes):
    assert refused(client_side(), frames.text_frame(text)).code == 1007
    assert refused(server_side(), frames.masked_text_frame(text)).code == 1007
    assert refused(client_side(), raw(TEXT, text) + raw(0x80)).code == 1007
    assert client_side().feed(raw(0x82, text)) == [(BINARY, text)]


def test_a_fragment_that_cannot_become_text_is_refused_at_once():
    assert refused(client_side(), raw(TEXT, b"abc\xff")).code == 1007


def test_too_much_is_refused_before_it_comes():
    assert client_side(300).feed(frames.text_frame(b"a" * 300))
    assert refused(client_side(300), bytes.fromhex("817e012d")).code == 1009
    assert refused(client_side(300), bytes.fromhex("827f0000000100000000")).code == 1009
    assert refused(server_side(300), frames.masked_text_frame(b"a" * 301)).code == 1009
    assert refused(client_side(100), bytes.fromhex("8165")).code == 1009


def test_fragments_are_counted_together():
    reader = client_side(300)
    reader.feed(raw(TEXT, b"a" * 299) + raw(0, b"a"))

    assert reader.feed(raw(0x89, b"a ping is no part of it")) == [(PING, b"a ping is no part of it")]
    assert refused(reader, raw(0x80, b"a")).code == 1009


def test_the_next_message_is_counted_anew():
    reader = client_side(300)

    for _ in range(3):
        assert len(reader.feed(raw(TEXT, b"a" * 150) + raw(0x80, b"a" * 150))) == 1


def test_what_was_complete_before_the_error_is_not_lost():
    error = refused(client_side(), HELLO + raw(0x89) + raw(0x83))

    assert error.messages == [(TEXT, b"Hello"), (PING, b"")]


def test_after_an_error_nothing_is_read():
    reader = client_side()
    refused(reader, raw(0x83))

    assert reader.feed(HELLO) == []
    assert reader.feed(frames.text_frame(MEDIA)) == []


# --- the end -------------------------------------------------------------------


def test_after_a_close_nothing_is_read():
    reader = client_side()

    assert reader.feed(HELLO + raw(0x88, b"\x03\xe8bye") + HELLO) == [
        (TEXT, b"Hello"),
        (CLOSE, b"\x03\xe8bye"),
    ]
    assert reader.feed(frames.text_frame(MEDIA)) == []
    assert reader.feed(raw(0x83)) == []


def test_a_close_says_why():
    assert frames.closing(b"\x03\xe8bye") == (1000, "bye")
    assert frames.closing(b"") == (frames.NO_CODE, "")


def test_the_codes_of_a_close_are_those_that_may_be_sent():
    """wsproto refuses 1014, which was registered after it was written."""
    for code in (*range(5100), 0xFFFF):
        try:
            Close(code, "").check()
        except ProtocolError:
            assert refused(client_side(), raw(0x88, code.to_bytes(2, "big"))).code == 1002, code
            with pytest.raises(ValueError, match="never sent"):
                frames.close_frame(code, mask=False)
        else:
            assert client_side().feed(frames.close_frame(code, mask=False)), code


def test_a_broken_close_is_refused():
    assert refused(client_side(), raw(0x88, b"\x03")).code == 1002
    assert refused(client_side(), raw(0x88, b"\x03\xe8\xff")).code == 1007


def test_a_long_reason_is_cut_between_characters():
    (message,) = client_side().feed(frames.close_frame(1008, "ab" + "€" * 60, mask=False))

    assert frames.closing(message[1]) == (1008, "ab" + "€" * 40)


# --- what is written -----------------------------------------------------------


def test_the_bytes_of_a_frame():
    assert frames.text_frame(b"Hello") == HELLO
    assert frames.text_frame(b"a" * 126) == bytes.fromhex("817e007e") + b"a" * 126
    assert frames.frame(PING, b"Hello", mask=False) == bytes.fromhex("890548656c6c6f")
    assert frames.frame(BINARY, bytes(65536), mask=False)[:10] == bytes.fromhex("827f0000000000010000")
    assert frames.close_frame(1000, "bye", mask=False) == bytes.fromhex("880503e8") + b"bye"


def test_a_control_frame_that_is_too_long_is_not_written():
    with pytest.raises(ValueError, match="125"):
        frames.frame(PING, bytes(126), mask=True)


def test_every_frame_has_a_key_of_its_own():
    keys = [frames.masked_text_frame(b"a" * 300)[4:8] for _ in range(200)]

    assert len(set(keys)) == len(keys)


@given(st.binary(max_size=600), st.binary(min_size=4, max_size=4))
def test_masking_without_the_compiled_part_is_the_same(data: bytes, key: bytes):
    assert frames._xored(data, key) == apply_mask(data, key)
    assert frames._xored(frames._xored(memoryview(data), key), key) == data


# --- what is kept --------------------------------------------------------------


def kept_and_peak(reader: FrameReader, pieces: list[bytes]) -> tuple[int, int]:
    """Bytes held by the reader after the pieces, and the most it held while they came."""
    tracemalloc.start()
    for piece in pieces:
        reader.feed(piece)
    kept = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return kept


def test_a_large_message_in_pieces_is_kept_once():
    size, piece = 2_000_000, 65_536
    data = frames.frame(BINARY, bytes(size), mask=True)
    pieces = [data[i : i + piece] for i in range(0, len(data), piece)]
    reader = server_side(size)

    _, peak = kept_and_peak(reader, pieces[:-1])

    assert peak < size * 9 / 8 + 2 * piece  # a growing bytearray takes an eighth more
    assert reader.feed(pieces[-1]) == [(BINARY, bytes(size))]


def test_a_message_that_is_complete_is_not_kept():
    reader = server_side(200_000)
    half = frames.frame(BINARY, bytes(100_000), mask=True)

    kept, _ = kept_and_peak(
        reader, [half[:50_000], half[50_000:], b"\x02\x80" + bytes(4), b"\x80\x80" + bytes(4)]
    )

    assert kept < 2_000


@pytest.mark.parametrize("end", [raw(0x88), raw(0x83)])
def test_what_was_not_complete_at_the_end_is_not_kept(end: bytes):
    reader = client_side(200_000)
    tracemalloc.start()
    reader.feed(raw(TEXT, b"a" * 100_000) + end[:1])
    with suppress(FrameError):
        reader.feed(end[1:] + b"a" * 100_000)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert kept < 4_000


def test_what_has_only_been_announced_takes_no_memory():
    _, peak = kept_and_peak(client_side(1 << 40), [bytes.fromhex("827f000000ff00000000")])

    assert peak < 4_000


def test_empty_fragments_take_no_memory():
    kept, _ = kept_and_peak(client_side(), [raw(TEXT), *[raw(0) * 1000] * 20])

    assert kept < 2_000
