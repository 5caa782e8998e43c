"""Everything there is about calls, as one file to keep: what `flask export` prints.

It is written in the pool and read from one moment of the database, so however much there is, calls that
are going on do not hear it.
"""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime
from typing import BinaryIO

from flask import Flask, send_file
from flask.typing import ResponseReturnValue

from assistant.store import export
from assistant.web.parts import parts


def register(app: Flask) -> None:
    """Put the file on the map."""
    app.add_url_rule("/settings/calls.jsonl", "export_calls", export_calls)


def export_calls() -> ResponseReturnValue:
    """All calls, oldest first, one a line."""
    folder = parts().settings.instance_path
    descriptor, draft = tempfile.mkstemp(dir=folder, suffix=".export")  # 0600, and gone once it is open
    file: BinaryIO = os.fdopen(descriptor, "w+b")
    os.unlink(draft)
    parts().store.read(export.write_all, descriptor)
    file.seek(0)
    name = f"afterbeep-calls-{datetime.now(UTC):%Y-%m-%d}.jsonl"
    return send_file(file, mimetype="application/jsonl", as_attachment=True, download_name=name)
