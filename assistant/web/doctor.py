"""The doctor's page, and the address by which the program recognises itself from outside.

The page shows at once what can be seen from here, and what was last found by asking others; a button asks
them again. `/healthz/<nonce>` answers nobody but the doctor, who has just made the nonce up: it is not there
for anybody else, neither as a page nor as a WebSocket.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Flask, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_sock import Sock

from assistant.channel import Channel
from assistant.doctor import LOOKS, Check, Patient, examine, keep, kept, outside
from assistant.doctor import open_problems as count_open_problems
from assistant.doctor.address import PATH, proof
from assistant.errors import StoreError
from assistant.store import program
from assistant.web import sockets
from assistant.web.inbox import words
from assistant.web.parts import parts

NONCE = PATH + "<nonce>"
ECHO_S = 5.0
LARGEST_MESSAGE = 1024
TEXT = {"Content-Type": "text/plain; charset=utf-8"}
PAGES = {"/setup": "Set-up", "/settings": "Settings", "/calendar/link": "Google Calendar"}
BUSY = "The doctor is looking already. Reload the page in a moment."

_looking = threading.Lock()  # the questions go to others: one round at a time is enough


def register(app: Flask) -> None:
    """Put the page and the two addresses on the map, and `open_problems()` into every template."""
    sockets.take_over(app)
    app.before_request(_for_the_doctor_alone)
    app.add_url_rule("/doctor", "doctor", doctor)
    app.add_url_rule("/doctor", "look_now", look_now, methods=["POST"])
    app.add_url_rule(NONCE, "healthz_nonce", it_is_me)
    Sock(app).route(NONCE, endpoint="healthz_echo")(echo)
    app.jinja_env.globals["open_problems"] = open_problems


def open_problems() -> int:
    """How many checks were red when they were last made: for the menu."""
    with suppress(StoreError):  # whatever page is shown meanwhile says more
        return count_open_problems(parts().store)
    return 0


# --- the page ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Organ:
    """What was found of one organ, and when; now: just now."""

    name: str
    checks: list[Check]
    at: datetime | None
    now: bool = False

    @property
    def state(self) -> str:
        """The worst of it; "unknown" when nobody has looked yet."""
        states = {check.state for check in self.checks}
        return next((state for state in ("red", "amber", "green") if state in states), "unknown")


def doctor() -> ResponseReturnValue:
    """The page."""
    organs = _organs()
    asked = [organ.at for organ in organs if organ.at]
    return render_template(
        "doctor.html",
        organs=organs,
        asked_at=min(asked) if asked else None,
        asks=any(not organ.now for organ in organs),
        count=lambda state: sum(check.state == state for organ in organs for check in organ.checks),
        pieces=pieces,
        show=words(),
    )


def look_now() -> ResponseReturnValue:
    """The button: look at everything, keep what was found, and go back to show it."""
    look_again(tuple(LOOKS))
    return redirect(url_for("doctor"), 303)


def look_again(organs: tuple[str, ...]) -> None:
    """Look at these organs and keep what was found. Blocks, for some seconds at most."""
    if not _looking.acquire(blocking=False):
        flash(BUSY, "problem")
        return
    try:
        keep(parts().store, list(examine(patient(), organs)), datetime.now(UTC))
    finally:
        _looking.release()


def patient() -> Patient:
    """The program that is running here."""
    everything = parts()
    return Patient(everything.settings, everything.store, everything.google, within=everything.within)


def _organs() -> list[Organ]:
    """The worst first. What can be seen from here is looked at anew: it takes no time."""
    last, asked = kept(parts().store), outside(patient())
    fresh: dict[str, list[Check]] = {}
    for check in examine(patient(), [organ for organ in LOOKS if organ not in asked]):
        fresh.setdefault(check.organ, []).append(check)
    if seen := [check for name in last.keys() & fresh.keys() for check in fresh[name]]:
        with suppress(StoreError):  # else the menu goes on counting what is mended
            keep(parts().store, seen, datetime.now(UTC))
    organs = [_organ(name, fresh.get(name), last.get(name)) for name in LOOKS]
    return sorted(organs, key=lambda organ: ("red", "amber", "unknown", "green").index(organ.state))


def _organ(name: str, fresh: list[Check] | None, last: tuple[datetime, list[Check]] | None) -> Organ:
    if fresh is not None:
        return Organ(name, fresh, None, now=True)
    return Organ(name, last[1], last[0]) if last else Organ(name, [], None)


def pieces(text: str) -> Iterator[tuple[str, str, str]]:
    """What to do, for a page: ("text" | "code" | "link", what is shown, where it leads).

    Our own pages are linked by their path: the owner may be here by another name than the world uses.
    """
    ours = parts().settings.url("")
    for part in re.split(r"(`[^`]+`|https://[^\s,;]+[^\s,;.)]|" + re.escape(ours) + r"/[^\s,;.]*)", text):
        if part.startswith("`"):
            yield "code", part.strip("`"), ""
        elif part.startswith(ours + "/"):
            path = part.removeprefix(ours)
            yield "link", PAGES.get(path.partition("?")[0], path), path
        elif part.startswith("https://") and not part.startswith(ours):
            yield "link", part.removeprefix("https://"), part
        elif part:
            yield "text", part, ""


# --- recognised from outside ---------------------------------------------------------


def _for_the_doctor_alone() -> ResponseReturnValue | None:
    """Before any handshake: without the doctor, there is nothing at this address, and no page to say so."""
    if request.url_rule is None or request.url_rule.rule != NONCE:
        return None
    nonce = (request.view_args or {}).get("nonce", "")
    is_one = re.fullmatch(r"[A-Za-z0-9_-]{43}", nonce) is not None
    if not is_one or not parts().store.read(program.expects, nonce, datetime.now(UTC)):
        return "nothing here\n", 404, TEXT
    sockets.agree_to_no_compression()
    return None


def it_is_me(nonce: str) -> ResponseReturnValue:
    """What the doctor recognises this program by."""
    return proof(nonce), TEXT


def echo(socket: Any, nonce: str) -> None:
    """Send one message back, and close."""
    sockets.serve(socket, "the doctor's socket", LARGEST_MESSAGE, _send_back)


def _send_back(channel: Channel) -> None:
    with suppress(TimeoutError):  # whoever opens it and says nothing gets no answer
        channel.write(bytes(channel.read(ECHO_S)[1]))
