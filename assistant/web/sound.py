"""The sound of a call: which recordings there are, what they look like, and the files themselves.

A recording is found by its row and never by a name somebody sent; what a row says is not trusted either: only
files among the recordings are opened. Everything that touches the disk does it in the pool: a disk that is
slow must not be heard on a call.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import orjson
from flask import Flask, Response, abort, request
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.wsgi import wrap_file

from assistant import peaks
from assistant.store import export
from assistant.store.recordings import DIRECTORY, seconds_of
from assistant.web.parts import parts
from assistant.web.ranges import asks_for_a_part

PIECE_BYTES = 64 * 1024  # read and sent at a time
GONE = "There is no such call. It may have been deleted, or is past the time calls are kept."
NO_SOUND = "There is no such recording."
KINDS = ("call", "voicemail")


def register(app: Flask) -> None:
    """Put a call's sound and its outline on the map."""
    app.add_url_rule("/calls/<call_sid>/audio.wav", "call_audio", call_audio)
    app.add_url_rule("/calls/<call_sid>/peaks.json", "call_peaks", call_peaks)


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording of a call. n: which of its kind, from 1. file: None when it is not there any more."""

    kind: str
    n: int
    seconds: float
    file: Path | None


def recordings_of(record: export.Row) -> list[Recording]:
    """A call's recordings. That of a running call has no row yet: it is what its file holds by now."""
    found: list[Recording] = []
    for row in record["recordings"]:
        n = 1 + sum(one.kind == row["kind"] for one in found)
        found.append(Recording(row["kind"], n, row["seconds"], _file(row["file"])))
    growing = _file(f"{DIRECTORY}/{record['call_sid']}.wav") if record["ended_at"] is None else None
    if growing and not any(one.kind == "call" for one in found):
        found.insert(0, Recording("call", 1, seconds_of(growing), growing))
    return found


def call_audio(call_sid: str) -> Response:
    """A recording: `?kind=call|voicemail` (else the call, or voicemail), `?n=2` the second of its kind."""
    return _send(_wanted(call_sid))


def call_peaks(call_sid: str) -> Response:
    """The outline of a recording: `{"duration": seconds, "peaks": [lane, …]}`, one lane for each channel."""
    file = _wanted(call_sid)
    response = Response(mimetype="application/json")
    response.set_etag(_version(file.stat()))
    if request.if_none_match.contains(response.get_etag()[0] or ""):
        response.status_code = 304
        return response
    drawn: peaks.Outline = parts().store.in_pool(_outline, file)
    response.data = orjson.dumps({"duration": drawn.seconds, "peaks": drawn.lanes})
    return response


def _outline(file: Path) -> peaks.Outline:
    with file.open("rb") as sound:
        return peaks.outline(sound)


def _wanted(call_sid: str) -> Path:
    """The file that is asked for."""
    record = parts().store.read(export.export_call, call_sid)
    if record is None:
        abort(404, GONE)
    kinds = (request.args["kind"],) if "kind" in request.args else KINDS
    n = _number(request.args.get("n", "1"))
    files = [one.file for kind in kinds for one in recordings_of(record) if (one.kind, one.n) == (kind, n)]
    file = next((file for file in files if file), None)
    if file is None:
        abort(404, NO_SOUND)
    return file


def _number(text: str) -> int:
    """A count from 1; 0, which nothing has, for everything that is none."""
    return int(text) if re.fullmatch(r"[1-9][0-9]{0,3}", text, re.ASCII) else 0


def _file(name: str) -> Path | None:
    """The file of that name below the instance, if it is there and among the recordings."""
    instance_path = parts().settings.instance_path
    try:
        file = (instance_path / name).resolve()
        among = file.is_relative_to((instance_path / DIRECTORY).resolve())
        return file if among and file.is_file() else None
    except (OSError, ValueError):  # no name that a file can have
        return None


def _version(stat: os.stat_result) -> str:
    return f"{stat.st_mtime_ns:x}-{stat.st_size:x}"


class Snapshot(io.RawIOBase):
    """A file as long as it was when it was opened: a running call's recording grows while it is sent."""

    def __init__(self, file: Path, in_pool: Callable[..., Any]) -> None:
        self.in_pool = in_pool
        self.file = file.open("rb")
        self.stat = os.fstat(self.file.fileno())

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        return self.file.tell()

    def read(self, size: int | None = -1) -> bytes:
        left = max(0, self.stat.st_size - self.file.tell())
        wanted = left if size is None or size < 0 else min(size, left)
        return cast(bytes, self.in_pool(self.file.read, wanted))

    def pieces(self) -> Iterator[bytes]:
        """All of it, a piece at a time."""
        while piece := self.read(PIECE_BYTES):
            yield piece

    def close(self) -> None:
        self.file.close()
        super().close()


def _send(file: Path) -> Response:
    """The whole file or the range asked for (206, 416, If-Range, HEAD)."""
    snapshot = Snapshot(file, parts().store.in_pool)
    size = snapshot.stat.st_size
    response = Response(
        wrap_file(request.environ, snapshot, PIECE_BYTES),  # type: ignore[arg-type]
        mimetype="audio/wav",
        direct_passthrough=True,
    )
    response.content_length = size
    response.last_modified = snapshot.stat.st_mtime_ns // 10**9  # type: ignore[assignment]
    response.set_etag(_version(snapshot.stat))
    response.accept_ranges = "bytes"
    try:
        response.make_conditional(request.environ, accept_ranges=asks_for_a_part(size), complete_length=size)
    except RequestedRangeNotSatisfiable:
        snapshot.close()
        raise
    return response
