"""The first twelve bytes of a piece of sound say which piece it is.

Twelve bytes are sixteen characters of base64, so a stamp is written and read without touching the rest.
"""

from __future__ import annotations

import struct
from binascii import a2b_base64, b2a_base64
from typing import Literal

FRAME_BYTES = 160  # 20 ms
BYTES = 12
CHARACTERS = 16

_STAMP = struct.Struct(">4sII")
_HEARD, _SPOKEN = b"\x7fcal", b"\x7fmod"

Kind = Literal["caller", "model"]


def stamped(kind: Kind, number: int, count: int) -> bytes:
    """The stamp in base64. caller: call and frame; model: item and delta."""
    return b2a_base64(_STAMP.pack(_HEARD if kind == "caller" else _SPOKEN, number, count), newline=False)


def read(base64: bytes, at: int) -> tuple[Kind, int, int] | None:
    """The stamp of the sound whose base64 begins at `at`; None when it has none."""
    if len(base64) < at + CHARACTERS:
        return None
    mark, number, count = _STAMP.unpack(a2b_base64(base64[at : at + CHARACTERS]))
    if mark == _HEARD:
        return "caller", number, count
    return ("model", number, count) if mark == _SPOKEN else None


def rest(length_bytes: int) -> bytes:
    """In base64: what follows the stamp of a sound that long altogether."""
    return b2a_base64(bytes(0x55 + i % 40 for i in range(length_bytes - BYTES)), newline=False)


def size_bytes(base64: bytes) -> int:
    """How much sound that is."""
    return len(base64) * 3 // 4 - base64.count(b"=", -2)
