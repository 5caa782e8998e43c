"""Afterbeep: puts the parts together; run as a program it serves.

    make run                 or, once installed,  .venv/bin/python app.py

`create_app` opens nothing, recovers nothing and dials nobody: commands and tests use it beside a
running server. Only the program serves, one at a time for each instance: it takes a lock, closes what
a crash left open, starts the writer and (with no keys) the sandbox, and then listens.
"""

if __name__ == "__main__":
    # Before any other import: what is imported first keeps the unpatched sockets and locks.
    from gevent import monkey

    monkey.patch_all()

import fcntl
import logging
import os
import socket
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import orjson
from flask import Flask

from assistant import cli, cli_call, cli_doctor
from assistant.answering import Answering
from assistant.calendars.diary import Diary
from assistant.calendars.google import Google
from assistant.channel import Readiness
from assistant.config import Settings, load_settings, with_sandbox_phone
from assistant.errors import AssistantError, ConfigError
from assistant.live import Live
from assistant.live_calls import LiveCalls
from assistant.rounds import Rounds
from assistant.sandbox import browser_callers
from assistant.sandbox import greeting as sandbox_greeting
from assistant.sandbox.caller.script import ScenarioError, load_scenario
from assistant.sandbox.model import SandboxModel
from assistant.store.writer import Store, directly
from assistant.web import (
    assets,
    calendar_link,
    calendars,
    callers,
    calls,
    doctor,
    errors,
    feed,
    frame,
    guard,
    headers,
    inbox,
    login,
    media,
    phone,
    search,
    setup,
    step_in,
    webhooks,
)
from assistant.web import live as live_page
from assistant.web import settings as settings_page
from assistant.web.parts import Parts

log = logging.getLogger("afterbeep")


@dataclass(frozen=True)
class Hands:
    """What needs gevent and is used where gevent may not be named; without it, plain calls. DESIGN 5."""

    in_writer: Callable[..., Any] = directly
    in_pool: Callable[..., Any] = directly
    within: Callable[[float], AbstractContextManager[Any]] = nullcontext
    readiness: Readiness | None = None


def create_app(
    settings: Settings | None = None,
    hands: Hands | None = None,
    model_url: Callable[[str | None], str] | None = None,
) -> Flask:
    """All parts, put together; nothing is opened. model_url: the sandbox model's address by scenario.

    With no settings given it is a command's app: it reads them, and ends the program when they are wrong.
    """
    if settings is None:
        return app_for_a_command()
    hands = hands or Hands()
    store = Store(settings.database, in_writer=hands.in_writer, in_pool=hands.in_pool)
    live, live_calls = Live(), LiveCalls()
    google = Google(settings, store, partial(guard.secret_key, settings), within=hands.within)
    diary = Diary(store, google)
    answering = Answering(
        settings,
        store,
        diary,
        live,
        live_calls,
        hands.in_pool,
        hands.within,
        model_url,
        sandbox_greeting.own if settings.sandbox else None,
        hands.readiness,
    )
    app = Flask(__name__)
    app.extensions["afterbeep"] = Parts(
        settings=settings,
        store=store,
        diary=diary,
        google=google,
        live=live,
        live_calls=live_calls,
        lobby=answering.lobby,
        serve_call=answering.serve_call,
        make_greeting=answering.make_greeting,
        within=hands.within,
        readiness=hands.readiness,
    )
    doors = (login, guard, headers, errors, assets, frame)
    lists = (inbox, calls, live_page, step_in, search, callers)
    pages = (calendars, calendar_link, feed, phone, settings_page, setup, doctor)
    for part in (*doors, *lists, *pages, webhooks, media, cli, cli_call, cli_doctor):
        part.register(app)
    phone.bring_callers(app, browser_callers.everybody, browser_callers.voice)
    return app


def app_for_a_command() -> Flask:
    """The app as `flask` asks for it; with wrong settings every problem is told, one line each."""
    try:
        return create_app(load_settings())
    except ConfigError as error:
        sys.exit(complaint(error, 2))


def complaint(error: AssistantError, status: int) -> int:
    """Tell the owner what is wrong, line by line. Returns the exit status."""
    print(error, file=sys.stderr)
    return status


# --- run as a program --------------------------------------------------------


def main() -> int:
    """Serve until told to leave. Returns the exit status."""
    os.umask(0o077)  # whatever is written from here on is the owner's alone
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    for chatty in ("twilio", "urllib3", "websockets", "websocket", "flask-limiter", "flask_wtf.csrf"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        settings = load_settings()
        lock = alone_in(settings.instance_path)
        if lock is None:
            print(f"Afterbeep is already running on {settings.instance_path}.", file=sys.stderr)
            return 1
        with lock:
            serve(settings)
    except AssistantError as error:
        return complaint(error, 2)
    return 0


def alone_in(instance_path: Path) -> IO[str] | None:
    """The instance's lock, held while the file is open; None when another program holds it.

    The folder is made when it is missing. Raises ConfigError when it is not ours to write.
    """
    try:
        instance_path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (instance_path / "server.lock").open("w")
    except OSError as error:
        raise ConfigError([f"INSTANCE_PATH: {error.filename}: {error.strerror}"]) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return None
    return lock


def serve(settings: Settings) -> None:
    """Recover, start what runs beside the pages, listen; leave when told to and no call is live."""
    from assistant.green import gevent_parts
    from assistant.server import Server

    green = gevent_parts()
    has_twilio = settings.has_phone
    settings = with_sandbox_phone(with_port(settings))
    sandbox = Sandbox(settings) if settings.sandbox else None
    app = create_app(
        settings,
        Hands(green.in_writer, green.in_pool, green.within, green.readiness),
        sandbox.model_url if sandbox else None,
    )
    parts: Parts = app.extensions["afterbeep"]
    rounds = Rounds(
        parts.store,
        settings.instance_path,
        parts.catch_up() if has_twilio else None,
        parts.diary.check_all,
        parts.facts,
    )
    server = Server(
        app,
        settings.host,
        settings.port,
        live=parts.still_live,
        on_drain=parts.drain,
        close_calls=parts.live_calls.close_all,
        end_streams=parts.live.close,
        drain_seconds=settings.drain_seconds,
    )
    try:
        rounds.recover()
        parts.store.start()
        if parts.google.account():
            parts.google.load()  # its libraries take 0.1 s, which no call should wait for
        server.listen()
        if sandbox:
            sandbox.start()
            parts.rest.load()  # with a real telephone the first round does that before anybody rings
        rounds.begin()
        greet(app, settings)
        server.serve()
    finally:
        parts.lobby.give_up_all("the program leaves")
        rounds.stop()
        if sandbox:
            sandbox.stop()
        parts.store.stop()


def with_port(settings: Settings) -> Settings:
    """PORT=0 is any free port, but the addresses we give out need to name it."""
    if settings.port:
        return settings
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((settings.host.strip("[]"), 0))
        return settings.model_copy(update={"port": probe.getsockname()[1]})


class Sandbox:
    """With no keys: a scripted model on a loopback port, and where a simulated caller finds us."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._model = SandboxModel()
        self._note = settings.instance_path / "sandbox.json"

    def start(self) -> None:
        """Start the model, and write down our address, account and token for `make call`."""
        self._model.start()
        settings = self._settings
        note = {
            "url": settings.url(""),
            "account_sid": settings.twilio_account_sid,
            "auth_token": settings.twilio_auth_token.get_secret_value(),
            "twilio_number": settings.twilio_number,
            "owner_phone": settings.owner_phone,
        }
        self._note.unlink(missing_ok=True)
        handle = os.open(self._note, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(orjson.dumps(note))

    def stop(self) -> None:
        self._note.unlink(missing_ok=True)
        self._model.stop()

    def model_url(self, scenario: str | None) -> str:
        """Where the model is for a call; some scenarios ring one that goes wrong."""
        fault = None
        with suppress(ScenarioError):
            fault = load_scenario(scenario).fault if scenario else None
        return self._model.fault_url(fault) if fault else self._model.url


def greet(app: Flask, settings: Settings) -> None:
    """Tell the terminal where we are and how to get in."""
    token = login.login_links(app).issue()
    say(f"Afterbeep is at {settings.local_url}/")
    say(f"To log in, open this link within 15 minutes; it works once: {settings.url('/login/' + token)}")
    if settings.sandbox:
        say(
            "This is the sandbox: with no OPENAI_API_KEY a scripted model answers, and callers are simulated."
        )
        say(f"To hear a call, log in, then open {settings.url('/phone')} and press the green button.")
        say("To read one, type in a second terminal: make call SCENARIO=message")


def say(line: str) -> None:
    """A line for the person at the terminal."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
