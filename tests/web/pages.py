"""What the tests of the owner's pages share: the app, on a real database, that nobody serves."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from argon2 import PasswordHasher
from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache
from werkzeug.test import TestResponse

from app import create_app
from assistant.config import load_settings
from assistant.store import calls, logins, messages, open_database
from assistant.web import login
from assistant.web.parts import parts

ROOT = Path(__file__).resolve().parent.parent.parent
PUBLIC = {
    "PUBLIC_URL": "https://phone.example",
    "OWNER_PHONE": "+12025550101",
    "TWILIO_NUMBER": "+12025550100",
    "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "TWILIO_AUTH_TOKEN": "0" * 32,
}


class Browser(FlaskClient):
    """Asks at the address the program prints; werkzeug's own client would say `localhost`."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        kwargs.setdefault("base_url", "http://127.0.0.1:5000")
        kwargs.setdefault("buffered", True)
        return super().open(*args, **kwargs)


class Compiled(BytecodeCache):
    """Templates as code, for all apps of this process: compiling them takes longer than most tests."""

    kept: ClassVar[dict[str, bytes]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if code := self.kept.get(bucket.key):
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.kept[bucket.key] = bucket.bytecode_to_string()


class Pages:
    """The app, its store, and browsers to look at it with."""

    def __init__(self, tmp_path: Path, **environ: str) -> None:
        settings = load_settings({"INSTANCE_PATH": str(tmp_path), **environ}, None)
        open_database(settings.database).close()
        self.instance = tmp_path
        self.app = create_app(settings)
        self.app.test_client_class = Browser
        self.app.jinja_env.bytecode_cache = Compiled()
        self.store = parts(self.app).store

    def browser(self) -> FlaskClient:
        """Somebody who is not logged in, at the program's own address."""
        return self.app.test_client()

    def owner(self) -> FlaskClient:
        """A browser that has followed the printed link."""
        client = self.browser()
        assert client.get("/login/" + login.login_links(self.app).issue()).status_code == 302
        return client

    def set_password(self, password: str) -> None:
        """The owner's password, hashed as weakly as tests are patient."""
        cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        self.store.write(logins.set_password_hash, cheap.hash(password))

    def add_call(self, call_sid: str = "CA1", *, minutes_ago: int = 5, **columns: Any) -> str:
        """A running call, as the webhook leaves it."""
        facts: dict[str, Any] = {
            "direction": "inbound",
            "from_number": "+442079460018",
            "to_number": "+12025550100",
            "forwarded_from": None,
            "caller_name": None,
            "trust": "stranger",
            "stir_verstat": None,
            "started_at": datetime.now(UTC) - timedelta(minutes=minutes_ago),
        }
        self.store.write(calls.begin, call_sid, **{**facts, **columns})
        return call_sid

    def add_turn(self, call_sid: str, speaker: str, text: str, **turn: Any) -> None:
        started_ms = turn.pop("started_ms", 0)
        kept = {
            "item_id": f"item_{speaker}_{started_ms}",
            "position": float(started_ms),
            "speaker": speaker,
            "text": text,
            "heard_text": text,
            "interrupted": False,
            "started_ms": started_ms,
            "ended_ms": started_ms + 1000,
            "heard_ms": 1000,
        }
        self.store.write(calls.keep_turn, call_sid, {**kept, **turn})

    def add_message(self, call_sid: str, text: str, **message: Any) -> None:
        kept = {"name": "Ana", "callback_number": "+442079460018", "urgency": "normal"}
        self.store.write(
            messages.add, call_sid, text=text, created_at=datetime.now(UTC), **{**kept, **message}
        )

    def add_recording(self, call_sid: str, sound: bytes, *, kind: str = "call", name: str = "") -> Path:
        file = f"recordings/{name or call_sid}.wav"
        path = self.instance / file
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(sound)
        self.store.write(calls.add_recording, call_sid, kind=kind, file=file, seconds=2.0)
        return path

    def finish(self, call_sid: str, ended_because: str = "caller_hung_up", **facts: Any) -> None:
        self.store.write(calls.set_columns, call_sid, had_stream=True)
        self.store.write(
            calls.finish, call_sid, ended_at=datetime.now(UTC), ended_because=ended_because, **facts
        )


def csrf_token(page: str) -> str:
    """The token of a page's first form."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found, page
    return found[1]


def text_of(page: str) -> str:
    """A page as it is read: no tags, single blanks."""
    body = page.partition("<main")[2]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())
