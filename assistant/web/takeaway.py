"""A call to take away: the contract's object, the same as a text to read, and both with the sound in a zip.

The zip is written while it is sent, straight from the recordings: of an hour of sound there is never more
than a piece in memory. Sound is put in as it is; packing it would cost more time than it saves room.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from datetime import datetime

import orjson
from flask import Flask, Response, abort, current_app, render_template

from assistant.store import export
from assistant.web import deeds
from assistant.web.inbox import words
from assistant.web.parts import parts
from assistant.web.sound import GONE, Recording, Snapshot, recordings_of
from assistant.web.words import Words


def register(app: Flask) -> None:
    """Put what can be taken away on the map.

    In a text every line end counts: those of the template's own statements are taken out.
    """
    app.extensions["afterbeep_texts"] = app.jinja_env.overlay(trim_blocks=True, lstrip_blocks=True)
    app.add_url_rule("/calls/<call_sid>/export.<any(json, txt, zip):kind>", "call_export", call_export)


def call_export(call_sid: str, kind: str) -> Response:
    """A call as a file."""
    record = parts().store.read(export.export_call, call_sid)
    if record is None:
        abort(404, GONE)
    show = words()
    name = _name(record, show)
    match kind:
        case "json":
            response = Response(_json(record), mimetype="application/json")
        case "txt":
            response = Response(_text(record, show), mimetype="text/plain")
        case _:
            response = _zip(name, record, show)
    response.headers.set("Content-Disposition", "attachment", filename=f"{name}.{kind}")
    return response


def _json(record: export.Row) -> bytes:
    """Byte for byte what `flask export --call` prints."""
    return orjson.dumps(record) + b"\n"


def _text(record: export.Row, show: Words) -> bytes:
    template = current_app.extensions["afterbeep_texts"].get_template("call.txt")
    return render_template(template, call=record, show=show, tell=deeds, plain=plain).encode()


def plain(text: object, indent: str = "    ") -> str:
    """What somebody said, as a part of a text file: it cannot begin a line of ours, or steer a terminal."""
    lines = re.split(r"[\n\r\v\f\x85\u2028\u2029]+", str(text))
    clean = ("".join(sign if sign.isprintable() else " " for sign in line).strip() for line in lines)
    return f"\n{indent}".join(line for line in clean if line)


def _name(record: export.Row, show: Words) -> str:
    """A file's name that says when; of the SID only what every file system takes."""
    sid = re.sub(r"[^0-9A-Za-z]", "", record["call_sid"])[-6:]
    return f"call-{_began(record, show):%Y-%m-%d-%H%M}-{sid}".rstrip("-")


def _began(record: export.Row, show: Words) -> datetime:
    return datetime.fromisoformat(record["started_at"]).astimezone(show.zone)


def _zip(name: str, record: export.Row, show: Words) -> Response:
    """Everything is opened before the first byte is sent: what goes wrong there is still an error page."""
    in_pool = parts().store.in_pool
    texts = {"call.json": _json(record), "call.txt": _text(record, show)}
    sounds = {_sound_name(one): Snapshot(one.file, in_pool) for one in recordings_of(record) if one.file}
    began = _began(record, show)
    response = Response(zipped(name, began, texts, sounds), mimetype="application/zip")
    for sound in sounds.values():
        response.call_on_close(sound.close)
    return response


def _sound_name(recording: Recording) -> str:
    return f"{recording.kind}{'' if recording.n == 1 else f'-{recording.n}'}.wav"


class _Outbox(io.RawIOBase):
    """Where the zip is written to: its pieces are taken out as they come. It cannot be sought in."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: object) -> int:
        payload = bytes(piece)  # type: ignore[call-overload]
        self._pieces.append(payload)
        return len(payload)

    def take(self) -> bytes:
        payload = b"".join(self._pieces)
        self._pieces.clear()
        return payload


def zipped(
    name: str, began: datetime, texts: dict[str, bytes], sounds: dict[str, Snapshot]
) -> Iterator[bytes]:
    """A zip, piece by piece, of one folder called `name`, whose files are dated when the call began."""
    outbox, date = _Outbox(), began.timetuple()[:6]
    with zipfile.ZipFile(outbox, "w") as archive:
        for file, payload in texts.items():
            archive.writestr(zipfile.ZipInfo(f"{name}/{file}", date), payload, zipfile.ZIP_DEFLATED)
        yield outbox.take()
        for file, sound in sounds.items():
            entry = zipfile.ZipInfo(f"{name}/{file}", date)
            entry.file_size = sound.stat.st_size  # so that it knows whether the long format is needed
            with archive.open(entry, "w") as place:
                for piece in sound.pieces():
                    place.write(piece)
                    yield outbox.take()
    yield outbox.take()
