"""Callers who want an appointment while a Google account is linked: one whose link works, one whose has died.

Google is a server of ours on this machine, written from its interface's description, which also checks every
body it is sent.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.calendars.google.parts import agree
from tests.calendars.google.server import FakeGoogle
from tests.whole_call.house import (
    LONGEST_CALL_S,
    NO_CAPS,
    PATIENCE_S,
    ROOT,
    House,
    Kept,
    eventually,
    no_proxies,
)


@contextmanager
def ringing(house: House) -> Iterator[subprocess.Popen[bytes]]:
    """`flask call booking`, while others go on."""
    command = subprocess.Popen(
        [sys.executable, "-m", "flask", "call", "booking"],
        cwd=ROOT, env=house.environ(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield command
    finally:
        command.kill()
        command.wait()


class Linked:
    """The program, linked with an account, and one call for an appointment."""

    def __init__(self, folder: Path, *, dead: bool = False) -> None:
        with ExitStack() as self._open:
            self._begin(folder, dead=dead)
            self._open = self._open.pop_all()  # nothing went wrong: it stays open until `close`

    def _begin(self, folder: Path, *, dead: bool) -> None:
        self.google = self._open.enter_context(FakeGoogle())
        wiring = {"GOOGLE_CALENDAR_URL": self.google.calendar_url}
        self.house = House(folder / "instance", **wiring).prefer(
            **NO_CAPS, booking="confirmed", disclosure="", greeting="How can I help?"
        )
        (folder / "instance" / "client_secret.json").write_bytes(self.google.client_file())
        self._open.enter_context(self.house)
        self._browser = self._open.enter_context(no_proxies())
        self._link()
        if dead:
            self.google.forget_tokens()
        # By a command, in a process of its own: this one has enough callers to keep in time.
        self._command = self._open.enter_context(ringing(self.house))

    def _link(self) -> None:
        """As the owner does in a browser: press Link, tick the boxes, come back."""
        callback = f"{self.house.url}/calendar/oauth/callback"
        self.google.redirect_uris = (callback,)
        said = re.search(r"http://\S+/login/\S+", self.house.output)
        assert said
        self._browser.get(said.group(), timeout=PATIENCE_S)
        form = re.search(r'name="csrf_token" value="([^"]+)"', self.page("/calendar/link"))
        assert form
        begun = self._browser.post(
            f"{self.house.url}/calendar/link",
            data={"csrf_token": form.group(1)},
            allow_redirects=False,
            timeout=PATIENCE_S,
        )
        back = agree(begun.headers["Location"])
        assert self._browser.get(callback, params=back, timeout=PATIENCE_S).ok

    def page(self, path: str) -> str:
        """A page, as the owner sees it."""
        answer = self._browser.get(self.house.url + path, timeout=PATIENCE_S)
        assert answer.ok
        return answer.text

    def call(self) -> Kept:
        """The call, once it is over."""
        self._command.wait(timeout=LONGEST_CALL_S)

        def over() -> Kept:
            [kept] = self.house.all_kept().values()
            return kept if kept["ended_at"] else {}

        return eventually(over, "the books are closed")

    def close(self) -> None:
        self._open.close()
