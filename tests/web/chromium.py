"""A real Chromium, driven over its debugging socket: for what only a browser decides."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from websockets.sync.client import connect

PATH = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WAIT_S = 20.0
# On anybody's machine a browser may be missing; where every change is checked it may not.
MAY_BE_MISSING = not os.environ.get("CI")


class Chromium:
    """One page of a fresh browser. Context manager."""

    def __init__(self, profile: Path) -> None:
        self.profile = profile
        self.said: list[str] = []  # what it complained about, but for what was not found
        self._numbers = itertools.count(1)
        self._open = ExitStack()

    def __enter__(self) -> Chromium:
        assert PATH, "there is no Chromium here"
        flags = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--remote-debugging-port=0",
        ]
        command = [PATH, *flags, f"--user-data-dir={self.profile}", "about:blank"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            port = self._port()
            with urlopen(
                Request(f"http://127.0.0.1:{port}/json/new", method="PUT"), timeout=WAIT_S
            ) as answer:
                address = json.load(answer)["webSocketDebuggerUrl"]
            self.socket = self._open.enter_context(connect(address, max_size=None, proxy=None))
            for domain in ("Page", "Log"):
                self.ask(f"{domain}.enable")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        self._open.close()
        self.process.terminate()
        self.process.wait(WAIT_S)

    def _port(self) -> int:
        note, until = self.profile / "DevToolsActivePort", time.monotonic() + WAIT_S
        while time.monotonic() < until:
            if note.exists() and "\n" in (text := note.read_text()):
                return int(text.split("\n")[0])
            time.sleep(0.02)
        raise TimeoutError("Chromium did not start")

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask for something, and wait for the answer."""
        number = next(self._numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        return self._until(lambda said: said.get("id") == number).get("result", {})

    def _until(self, wanted: Any) -> dict[str, Any]:
        until = time.monotonic() + WAIT_S
        while True:
            said = json.loads(self.socket.recv(timeout=until - time.monotonic()))
            entry = said.get("params", {}).get("entry", {})
            if entry and entry["source"] != "network":  # a missing icon is none of its business
                self.said.append(entry["text"])
            if wanted(said):
                return said

    def go(self, url: str) -> None:
        self.ask("Page.navigate", url=url)
        self._until(lambda said: said.get("method") == "Page.loadEventFired")

    def evaluate(self, script: str) -> Any:
        return self.ask("Runtime.evaluate", expression=script)["result"].get("value")

    def press(self, selector: str) -> None:
        """Press a button, and wait until another page is there or the browser has complained."""
        complaints = len(self.said)
        self.evaluate(f"document.querySelector({json.dumps(selector)}).click()")
        self._until(lambda said: said.get("method") == "Page.loadEventFired" or len(self.said) > complaints)

    @property
    def url(self) -> str:
        return str(self.evaluate("location.href"))

    @property
    def text(self) -> str:
        return str(self.evaluate("document.body.innerText"))
