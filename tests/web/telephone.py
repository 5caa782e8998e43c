"""What the tests of webhooks and media sockets share: the app's telephone side on a real database.

Webhooks are signed by our own hand, so that a misreading of the algorithm cannot hide.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from flask import Flask
from werkzeug.test import TestResponse

from assistant.calendars.diary import Diary
from assistant.calendars.google import Google
from assistant.config import load_settings
from assistant.store import Store, callers, calls, export, open_database, preferences
from assistant.telephony.dials import RunningDials
from assistant.telephony.tokens import StreamTokens
from assistant.web import errors, guard, headers, login, media, webhooks
from assistant.web.parts import Memory, Parts, Voicemails

ROOT = Path(__file__).resolve().parent.parent.parent
ACCOUNT, TOKEN = "AC" + "0" * 32, "0" * 32
OURS, OWNER, ANA, SAM = "+12025550100", "+12025550101", "+12025550143", "+12025550144"
PUBLIC_URL = "https://phone.example"
SETTINGS = {
    "PUBLIC_URL": PUBLIC_URL,
    "OWNER_PHONE": OWNER,
    "TWILIO_NUMBER": OURS,
    "TWILIO_ACCOUNT_SID": ACCOUNT,
    "TWILIO_AUTH_TOKEN": TOKEN,
    "OPENAI_API_KEY": "key",
}


def sid(number: int, kind: str = "CA") -> str:
    return f"{kind}{number:032x}"


def signature(url: str, fields: dict[str, str], token: str = TOKEN) -> str:
    text = url + "".join(name + fields[name] for name in sorted(fields))
    return base64.b64encode(hmac.digest(token.encode(), text.encode(), hashlib.sha1)).decode()


class Clock:
    """Seconds that pass when the test says so."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Exchange:
    """Twilio's side of the webhooks, and the app behind them."""

    def __init__(self, tmp_path: Path, **environ: str) -> None:
        given = {"INSTANCE_PATH": str(tmp_path), **SETTINGS, **environ}
        settings = load_settings({name: value for name, value in given.items() if value}, None)
        self.store = Store(settings.database)
        open_database(settings.database).close()
        self.store.start()
        self.clock = Clock()
        self.fetched: list[tuple[Any, ...]] = []
        google = Google(settings, self.store, partial(guard.secret_key, settings))
        self.parts = Parts(
            settings=settings,
            store=self.store,
            diary=Diary(self.store, google),
            google=google,
            beside=lambda function, *args: self.fetched.append(args),
            tokens=StreamTokens(self.clock),
            dials=RunningDials(self.clock),
            voicemails=Voicemails(self.clock),
        )
        self.app = Flask("telephone", template_folder=ROOT / "templates", static_folder=ROOT / "static")
        self.app.extensions["afterbeep"] = self.parts
        for module in (login, guard, headers, errors, webhooks, media):
            module.register(self.app)

    def post(self, path: str, fields: dict[str, str], query: str = "", **headers: str) -> TestResponse:
        """A signed webhook, just as it is."""
        url = PUBLIC_URL + path + query
        signed = {"X-Twilio-Signature": signature(url, fields), **headers}
        return self.app.test_client().post(path + query, data=fields, headers=signed, base_url=PUBLIC_URL)

    def webhook(self, path: str, number: int = 1, **fields: str) -> Document:
        """A webhook about call `number`; its document."""
        whole = {
            "CallSid": sid(number),
            "AccountSid": ACCOUNT,
            "From": ANA,
            "To": OURS,
            "CallStatus": "ringing",
            "Direction": "inbound",
            "ApiVersion": "2010-04-01",
            "FromCity": "",
            **fields,
        }
        response = self.post("/voice/" + path, whole)
        assert response.status_code in (200, 204), response.status
        return Document(response)

    def rings(self, number: int = 1, **fields: str) -> Document:
        return self.webhook("incoming", number, **fields)

    def ends(self, number: int = 1, status: str = "completed") -> None:
        self.webhook("status", number, CallStatus=status)

    def prefer(self, **values: str) -> None:
        for name, value in values.items():
            self.store.write(preferences.set, name, value)

    def keep(self, number: str, standing: Any) -> None:
        self.store.write(callers.set_caller, number, standing=standing)

    def call(self, number: int = 1) -> dict[str, Any] | None:
        """The call as the owner sees it, once everything queued is written."""
        self.store.write(lambda db: None)
        return self.store.read(export.export_call, sid(number))

    def past_call(self, number: int, *, from_: str | None = ANA, cost_usd: float = 0.0) -> None:
        """A call of today that is over."""
        now = datetime.now(UTC)
        self.store.write(
            calls.begin, sid(number), direction="inbound", from_number=from_, to_number=OURS,
            forwarded_from=None, caller_name=None, trust="stranger", stir_verstat=None, started_at=now,
        )  # fmt: skip
        self.store.write(
            calls.finish, sid(number), ended_at=now, ended_because="assistant_ended", usage={},
            cost_usd=cost_usd,
        )  # fmt: skip

    def everything_kept(self) -> list[tuple[Any, ...]]:
        """Every row of every table that webhooks can write."""
        self.store.write(lambda db: None)
        tables = ("calls", "turns", "recordings", "messages", "tool_runs")
        return self.store.read(
            lambda db: [row for table in tables for row in db.execute(f"SELECT * FROM {table}").fetchall()]
        )

    def forget_everything(self) -> None:
        """As after a restart: what is not in the database is gone."""
        self.parts.memory = Memory()
        self.parts.dials = RunningDials(self.clock)
        self.parts.tokens = StreamTokens(self.clock)

    @contextmanager
    def database_locked(self) -> Iterator[None]:
        """Another process writes and does not come to an end."""
        connection = sqlite3.connect(self.store.path, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")
            connection.close()


class Document:
    """What a webhook was answered."""

    def __init__(self, response: TestResponse) -> None:
        self.text = response.get_data(as_text=True)
        self.content_type = response.content_type
        self.root = ElementTree.fromstring(self.text) if self.text else ElementTree.Element("Nothing")

    @property
    def verbs(self) -> list[str]:
        return [verb.tag for verb in self.root]

    @property
    def is_assistant(self) -> bool:
        return self.verbs == ["Connect", "Say", "Record", "Hangup"]

    @property
    def is_voicemail(self) -> bool:
        return self.verbs == ["Say", "Record", "Hangup"]

    @property
    def token(self) -> str:
        return next(parameter.attrib["value"] for parameter in self.root.iter("Parameter"))

    def attribute(self, verb: str, name: str) -> str | None:
        return next(element.get(name) for element in self.root.iter(verb))
