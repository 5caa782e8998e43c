"""Patients for the doctor: a real database, and the outside on loopback ports."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assistant.calendars.google import Google
from assistant.config import Settings, load_settings
from assistant.doctor import Check, Patient, examine
from assistant.store import Store, open_database, preferences, program
from assistant.web import doctor
from tests.telephony.far_end import ACCOUNT, NUMBER, TOKEN
from tests.web.telephone import Exchange

PHONE = {
    "PUBLIC_URL": "https://phone.example",
    "OWNER_PHONE": "+12025550101",
    "TWILIO_NUMBER": NUMBER,
    "TWILIO_ACCOUNT_SID": ACCOUNT,
    "TWILIO_AUTH_TOKEN": "0" * 32,
    "OPENAI_API_KEY": "sk-canary",
}


def patient(tmp_path: Path, **environ: str) -> Patient:
    """Somebody to be looked at, with the settings that are given and no others."""
    settings = load_settings({"INSTANCE_PATH": str(tmp_path), **environ}, None)
    store = Store(settings.database)
    open_database(settings.database).close()
    tmp_path.chmod(0o700)
    store.write(preferences.set, "timezone", "Europe/Berlin")
    google = Google(settings, store, lambda: "the text of a secret key")
    return Patient(settings, store, google, env_file=tmp_path / "none.env")


def found(of: Patient, organ: str) -> dict[str, Check]:
    """What is found of an organ; every check says what it must."""
    checks = list(examine(of, [organ]))
    assert len({check.name for check in checks}) == len(checks)
    for check in checks:
        assert check.organ == organ
        assert check.found
        assert bool(check.cause) == bool(check.action) == (check.state != "green"), check
    return {check.name: check for check in checks}


def states(of: Patient, organ: str) -> dict[str, str]:
    return {name: check.state for name, check in found(of, organ).items()}


def runs(of: Patient, at: datetime | None = None, **facts: Any) -> None:
    """The program has just said how it is."""
    of.store.write(program.note, program.PULSE, facts, at or datetime.now(UTC))


@contextmanager
def running(tmp_path: Path, **environ: str) -> Iterator[Patient]:
    """The program's telephone side and its doctor, served by threads, at its PUBLIC_URL."""
    from werkzeug.serving import make_server

    exchange = Exchange(tmp_path, PUBLIC_URL="http://127.0.0.1:1", **environ)
    if "/healthz/<nonce>" not in {rule.rule for rule in exchange.app.url_map.iter_rules()}:
        doctor.register(exchange.app)
    server = make_server("127.0.0.1", 0, exchange.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    settings: Settings = exchange.parts.settings.model_copy(update={"public_url": url})
    exchange.parts.settings = settings
    of = Patient(settings, exchange.store, exchange.parts.google, env_file=tmp_path / "none.env")
    runs(of)
    try:
        yield of
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
        exchange.store.stop(10)


__all__ = ["PHONE", "TOKEN", "found", "patient", "running", "runs", "states"]
