"""The real program in a process of its own, on an instance of its own, and calls that ring it over sockets.

Nothing here waits for a fixed time: `eventually` looks until something is so, and gives up in the end.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import orjson
import requests

from assistant.config import Settings
from assistant.sandbox.caller import CallRecord, CallReport, SandboxCaller
from assistant.sandbox.caller.network import Happening
from assistant.sandbox.caller.script import Scenario, load_scenario, read_scenario
from assistant.store import preferences
from assistant.store.export import export_all, export_call
from assistant.store.schema import open_database

ROOT = Path(__file__).resolve().parent.parent.parent
# On a machine that does a hundred other things; what is promised in less time is measured by its test.
PATIENCE_S = 30.0
LONGEST_CALL_S = 120.0
LOOK_S = 0.02

ACCOUNT, TOKEN = "AC" + "c0ffee11" * 4, "0123456789abcdef-a-canary-sings"
TWILIO_NUMBER, OWNER_PHONE = "+12025550100", "+12025550101"
# Who has many calls answered at once, and rings again and again.
NO_CAPS = {"max_concurrent_calls": "100", "calls_per_caller_per_day": "0", "daily_budget_usd": "0"}

Kept = dict[str, Any]
Found = TypeVar("Found")


def eventually(look: Callable[[], Found], what: str, within_s: float = PATIENCE_S) -> Found:
    """What `look` finds, as soon as it finds something."""
    until = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < until, f"not within {within_s:g} s: {what}"
        time.sleep(LOOK_S)
    return found


def beside(function: Callable[..., Found], *args: Any) -> Future[Found]:
    """Do it beside everything else; the future has what came of it, or raises it."""
    future: Future[Found] = Future()

    def run() -> None:
        try:
            future.set_result(function(*args))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="beside", daemon=True).start()
    return future


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def telephone(port: int, rest_url: str) -> dict[str, str]:
    """The wiring of a telephone whose REST side is ours."""
    return {
        "PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "TWILIO_API_URL": rest_url,
        "TWILIO_ACCOUNT_SID": ACCOUNT,
        "TWILIO_AUTH_TOKEN": TOKEN,
        "TWILIO_NUMBER": TWILIO_NUMBER,
        "OWNER_PHONE": OWNER_PHONE,
    }


def script(text: str, name: str = "made-up") -> Scenario:
    """A scenario of a test's own."""
    return read_scenario(name, tomllib.loads(text))


def no_proxies() -> requests.Session:
    """A browser that reaches this machine whatever the environment says of proxies."""
    browser = requests.Session()
    browser.trust_env = False
    return browser


class House:
    """The program. `wiring`: its settings; with none it is the sandbox on any free port."""

    def __init__(self, instance_path: Path, **wiring: str) -> None:
        self.instance_path = instance_path
        self.database = instance_path / "afterbeep.db"
        self.url = ""
        self._wiring = {"PORT": "0", "TRANSCRIPTION_MODEL": "gpt-transcribe"} | wiring
        self._outputs: list[Path] = []
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    # --- the process ---------------------------------------------------------

    def start(self, **wiring: str) -> Self:
        """Start, and wait until it answers. `wiring`: what is other than the last time."""
        self._wiring |= wiring
        self.launch()
        said = eventually(self._greeting, "the program says where it is")
        self.url = said.group(1)
        self.get("/healthz")  # answered by its loop: from here on it knows what to do with signals
        return self

    def launch(self) -> subprocess.Popen[bytes]:
        """Start it, whatever comes of that."""
        self.instance_path.parent.mkdir(parents=True, exist_ok=True)
        self._outputs.append(self.instance_path.with_suffix(f".{len(self._outputs)}.{id(self):x}.log"))
        with self._outputs[-1].open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "app.py"], cwd=ROOT, env=self.environ(), stdout=output, stderr=output
            )
        return self._process

    def environ(self) -> dict[str, str]:
        """Empty wins over what a developer's own .env may say."""
        ours = {name.upper(): "" for name in Settings.model_fields}
        inherited = {name: text for name, text in os.environ.items() if name not in ours}
        return inherited | ours | self._wiring | {"INSTANCE_PATH": str(self.instance_path)}

    def _greeting(self) -> re.Match[str] | None:
        status = self.process.poll()
        assert status is None, f"the program left with {status}: {self.output}"
        return re.search(r"Afterbeep is at (http://\S+)/\n", self.output)

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "not started"
        return self._process

    def kill(self) -> None:
        """End it as the kernel does when memory runs out."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def terminate(self) -> None:
        """Ask it to leave."""
        self.process.send_signal(signal.SIGTERM)

    def left(self, within_s: float = PATIENCE_S) -> int:
        """Its exit status, once it has left."""
        return self.process.wait(timeout=within_s)

    @property
    def resident_mib(self) -> float:
        """The memory it holds."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found
        return int(found.group(1)) / 1024

    @property
    def output(self) -> str:
        """What it said since its last start, at the terminal and in its log."""
        return self._outputs[-1].read_text("utf-8")

    @property
    def all_output(self) -> str:
        """What it ever said."""
        return "".join(output.read_text("utf-8") for output in self._outputs)

    # --- what it keeps, and shows --------------------------------------------

    def prefer(self, **values: str) -> Self:
        """Set preferences, as the owner does."""
        with closing(open_database(self.database)) as db:
            for name, value in values.items():
                preferences.set(db, name, value)
        return self

    def kept(self, call_sid: str) -> Kept:
        """A call, as the contract shows it; {} while there is none."""
        with closing(open_database(self.database)) as db:
            return export_call(db, call_sid) or {}

    def all_kept(self) -> dict[str, Kept]:
        """All calls by their SID."""
        with closing(open_database(self.database)) as db:
            return {kept["call_sid"]: kept for kept in export_all(db)}

    def closed(self, record: CallRecord) -> Kept:
        """The call, once it has ended as its script says: the last words come after the caller has gone."""

        def books() -> Kept:
            kept = self.kept(record.call_sid)
            over = kept and kept["ended_at"] and record.expected.outcome in (None, kept["outcome"])
            return kept if over else {}

        return eventually(books, f"the books of {record.label} are closed: {self.kept(record.call_sid)}")

    def get(self, path: str) -> requests.Response:
        """A page as anybody gets it."""
        with no_proxies() as browser:
            return browser.get(self.url + path, timeout=PATIENCE_S)

    @contextmanager
    def owner(self) -> Iterator[Callable[..., requests.Response]]:
        """The owner's browser, logged in by the link at the terminal: `get("/")`."""
        link = re.search(r"http://\S+/login/\S+", self.output)
        assert link
        with no_proxies() as browser:
            browser.get(link.group(), timeout=PATIENCE_S)

            def get(path: str, **headers: str) -> requests.Response:
                return browser.get(self.url + path, headers=headers, timeout=PATIENCE_S)

            yield get

    def flask(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command of the owner's."""
        return subprocess.run(
            [sys.executable, "-m", "flask", *words],
            cwd=ROOT, env=self.environ(), capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip

    # --- calls ---------------------------------------------------------------

    def ring(self, scenario: str | Scenario, **how: Any) -> Ringing:
        """Somebody rings, beside everything else. `how`: options of SandboxCaller."""
        return self.about_to_ring(scenario, **how).begin()

    def about_to_ring(self, scenario: str | Scenario, **how: Any) -> Ringing:
        """Somebody who will ring."""
        note = self.instance_path / "sandbox.json"
        line = orjson.loads(note.read_bytes()) if note.exists() else {}
        return Ringing(
            line.get("url") or self._wiring["PUBLIC_URL"],
            line.get("account_sid", ACCOUNT),
            line.get("auth_token", TOKEN),
            load_scenario(scenario) if isinstance(scenario, str) else scenario,
            **how,
        )


class Ringing:
    """A scenario, played in a thread once it is begun."""

    def __init__(self, *call: Any, **how: Any) -> None:
        self.caller = SandboxCaller(*call, self._note, **how)
        self._happenings: list[Happening] = []
        self._more = threading.Condition()
        self._report: Future[CallReport] | None = None

    def begin(self) -> Self:
        """Ring."""
        self._report = beside(self.caller.run)
        return self

    def until(self, words: str, times: int = 1, within_s: float = PATIENCE_S) -> list[Happening]:
        """Wait until so many happenings have these words in them (or are of that kind)."""

        def found() -> list[Happening]:
            return [one for one in self._happenings if words in one.text or words == one.kind]

        with self._more:
            happened = self._more.wait_for(lambda: len(found()) >= times, within_s)
            assert happened, f"not within {within_s:g} s: {words}; but {self._happenings}"
            return found()

    @property
    def call_sids(self) -> list[str]:
        """The calls that have rung."""
        return [one.call_sid for one in self._happenings if one.kind == "rings"]

    def report(self, within_s: float = LONGEST_CALL_S) -> CallReport:
        """Wait until it is over."""
        assert self._report is not None, "not begun"
        return self._report.result(within_s)

    def _note(self, happening: Happening) -> None:
        with self._more:
            self._happenings.append(happening)
            self._more.notify_all()
