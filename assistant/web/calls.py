"""One call: what was left, what was said, what was done, and the sound of it."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from flask import Flask, Response, abort, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.wsgi import wrap_file

from assistant.store import delays, export
from assistant.store.recordings import DIRECTORY
from assistant.web.inbox import words
from assistant.web.parts import parts
from assistant.web.ranges import asks_for_a_part

PIECE_BYTES = 64 * 1024  # read and sent at a time
GONE = "There is no such call. It may have been deleted, or is past the time calls are kept."


def register(app: Flask) -> None:
    """Put the call's page and its sound on the map."""
    app.add_url_rule("/calls/<call_sid>", "call", call)
    app.add_url_rule("/calls/<call_sid>/audio.wav", "call_audio", call_audio)


def call(call_sid: str) -> ResponseReturnValue:
    """The page of one call."""
    row = _row(call_sid)
    recordings = [
        {**recording, "n": _place(row["recordings"], recording)}
        for recording in row["recordings"]
        if _file(recording) is not None
    ]
    show = words()
    lately = parts().store.read(delays.lately, show.now)
    return render_template("call.html", call=row, recordings=recordings, lately=lately, show=show)


def call_audio(call_sid: str) -> ResponseReturnValue:
    """A recording: `?kind=call|voicemail` (else the call, or voicemail), `?n=2` the second of its kind."""
    recordings = _row(call_sid)["recordings"]
    kinds = [request.args["kind"]] if "kind" in request.args else ["call", "voicemail"]
    n = request.args.get("n", 1, type=int)
    wanted = [
        one for kind in kinds for one in recordings if one["kind"] == kind and _place(recordings, one) == n
    ]
    files = [file for one in wanted if (file := _file(one))]
    if not files:
        abort(404, "There is no such recording.")
    return _send(files[0])


def _row(call_sid: str) -> dict[str, Any]:
    row: dict[str, Any] | None = parts().store.read(export.export_call, call_sid)
    if row is None:
        abort(404, GONE)
    return row


def _place(recordings: list[dict[str, Any]], recording: dict[str, Any]) -> int:
    """Which of its kind a recording is, from 1."""
    of_kind = [other for other in recordings if other["kind"] == recording["kind"]]
    return 1 + next(n for n, other in enumerate(of_kind) if other is recording)


def _file(recording: dict[str, Any]) -> Path | None:
    """The recording's file, if it is there and among the recordings, whatever the row says."""
    instance_path = parts().settings.instance_path
    try:
        file = (instance_path / recording["file"]).resolve()
        among = file.is_relative_to((instance_path / DIRECTORY).resolve())
        return file if among and file.is_file() else None
    except (OSError, ValueError):  # no name that a file can have
        return None


class _Snapshot(io.RawIOBase):
    """A file as long as it was when it was opened: a running call's recording grows while it is sent.

    It is read by `in_pool`: a disk that is slow must not be heard on a call.
    """

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

    def close(self) -> None:
        self.file.close()
        super().close()


def _send(file: Path) -> Response:
    """The whole file or the range asked for (206, 416, If-Range, HEAD)."""
    snapshot = _Snapshot(file, parts().store.in_pool)
    size, mtime_ns = snapshot.stat.st_size, snapshot.stat.st_mtime_ns
    response = Response(
        wrap_file(request.environ, snapshot, PIECE_BYTES),  # type: ignore[arg-type]
        mimetype="audio/wav",
        direct_passthrough=True,
    )
    response.content_length = size
    response.last_modified = mtime_ns // 10**9  # type: ignore[assignment]
    response.set_etag(f"{mtime_ns:x}-{size:x}")
    response.accept_ranges = "bytes"
    try:
        response.make_conditional(request.environ, accept_ranges=asks_for_a_part(size), complete_length=size)
    except RequestedRangeNotSatisfiable:
        snapshot.close()
        raise
    return response
