"""Parts of a file, as players ask for them."""

from __future__ import annotations

from flask import request


def asks_for_a_part(size: int) -> bool:
    """Whether `Range` asks for one part of so many bytes; whatever else it says, RFC 9110 has us ignore."""
    asked = request.range
    return (
        asked is not None
        and asked.units == "bytes"
        and len(asked.ranges) == 1
        and asked.ranges[0][0] >= -size  # the last 99 bytes of 50 are all of them
    )
