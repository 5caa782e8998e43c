"""The servers under test: each a process of its own, on a core that is not ours where there are two."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Protocol

from picows import ws_connect

from assistant.config import Settings
from assistant.store import preferences
from assistant.store.schema import open_database
from tests.bench import ringing
from tests.bench.phone import Phone

ROOT = Path.cwd()  # `-m tests.bench` finds nothing anywhere else
PATIENCE_S = 20.0
CORES = sorted(os.sched_getaffinity(0))
OUR_CORE, THEIR_CORE = CORES[-1], CORES[0]

PREFERENCES = {
    "max_concurrent_calls": "1000",
    "calls_per_caller_per_day": "0",
    "daily_budget_usd": "0",
    "record_audio": "off",
    "disclosure": "",
    "ring_first": "off",
    "max_call_seconds": "3300",
}


class Server(Protocol):
    """What the load needs of one."""

    name: str

    async def ring(self, phone: Phone) -> None: ...
    async def ended(self, number: int) -> None: ...
    def cpu_s(self) -> float: ...
    def memory_mib(self) -> float: ...
    def stop(self) -> None: ...


class Program:
    """A process on the server's core: what it uses, and its end."""

    def __init__(self, command: list[str], environ: dict[str, str], output: Path) -> None:
        self._output = output
        self.began_s = time.monotonic()
        with output.open("wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, *command], cwd=ROOT, env=environ, stdout=file, stderr=subprocess.STDOUT
            )
        os.sched_setaffinity(self._process.pid, {THEIR_CORE})

    async def says(self, pattern: str) -> re.Match[str]:
        """What it prints, once it does. Raises TimeoutError."""
        until = time.monotonic() + PATIENCE_S
        while not (found := re.search(pattern, self.said())):
            if self.over or time.monotonic() > until:
                raise TimeoutError(f"a server does not start: {self.said()[-2000:]}")
            await asyncio.sleep(0.02)
        return found

    @property
    def over(self) -> bool:
        """It has left by itself."""
        return self._process.poll() is not None

    def said(self) -> str:
        """All it has printed."""
        return self._output.read_text("utf-8", "replace")

    def cpu_s(self) -> float:
        """The CPU time of the process and its children so far, to the nanosecond."""
        return sum(_cpu_s(pid) for pid in _family(self._process.pid))

    def memory_mib(self) -> float:
        """What it and its children hold in memory."""
        return sum(_resident_mib(pid) for pid in _family(self._process.pid))

    def stop(self) -> None:
        """End it, and wait for that. Harmless a second time."""
        self._process.terminate()
        try:
            self._process.wait(3)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    with suppress(OSError):
        return [pid, *(each for child in children.read_text().split() for each in _family(int(child)))]
    return [pid]


def _cpu_s(pid: int) -> float:
    # A process's own clock, by its number: the kernel's CPUCLOCK_SCHED. /proc counts in 10 ms.
    return time.clock_gettime(~pid << 3 | 2)


def _resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class Floor:
    """The relay that does nothing else."""

    name = "floor"

    def __init__(self, program: Program, port: int) -> None:
        self.cpu_s, self.memory_mib, self.stop = program.cpu_s, program.memory_mib, program.stop
        self._url = f"ws://127.0.0.1:{port}/"

    @classmethod
    async def start(cls, folder: Path, model_url: str) -> Floor:
        """Start it, and wait until it listens. `model_url`: of the socket."""
        command = ["-m", "tests.bench.floor", model_url]
        program = Program(command, dict(os.environ), folder / "floor.log")
        try:
            return cls(program, int((await program.says(r"^(\d+)\n"))[1]))
        except BaseException:
            program.stop()
            raise

    async def ring(self, phone: Phone) -> None:
        await ws_connect(lambda: phone, self._url)
        phone.start(ringing.call_sid(phone.number), ringing.ACCOUNT, {})

    async def ended(self, number: int) -> None:
        """It keeps no books."""


class Afterbeep:
    """The real program on an instance of its own. `preferred`: what is other than in every bench."""

    def __init__(self, name: str, folder: Path, model_url: str, **preferred: str) -> None:
        self.name = name
        self.instance_path = folder / name.replace(" ", "-")
        self.database = self.instance_path / "afterbeep.db"
        self._port = _free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._stream_url = f"ws://127.0.0.1:{self._port}/voice/stream"
        self._model_url = model_url
        self._program: Program | None = None
        self.instance_path.mkdir(parents=True)
        self.prefer(**{**PREFERENCES, **preferred})

    def prefer(self, **values: str) -> None:
        """As the owner does; for the next call."""
        with closing(open_database(self.database)) as db:
            for name, value in values.items():
                preferences.set(db, name, value)

    async def start(self, command: tuple[str, ...] = ("app.py",), **environ: str) -> Afterbeep:
        """Start it, and wait until it answers."""
        log = self.instance_path.with_suffix(".log")
        self._program = Program([*command], {**self._environ(), **environ}, log)
        try:
            await self._answers()
        except BaseException:
            self.stop()
            raise
        self.started_s = time.monotonic() - self._program.began_s
        return self

    async def _answers(self) -> None:
        until = time.monotonic() + PATIENCE_S
        while True:
            with suppress(OSError):
                if (await ringing.request("GET", self.url + "/healthz"))[0] == 200:
                    return
            if time.monotonic() > until or self.program.over:
                raise TimeoutError(f"{self.name} does not start: {self.program.said()[-2000:]}")
            await asyncio.sleep(0.005)

    def _environ(self) -> dict[str, str]:
        """Empty wins over what a developer's own .env may say."""
        ours = {name.upper(): "" for name in Settings.model_fields}
        return {
            **os.environ,
            **ours,
            "PORT": str(self._port),
            "PUBLIC_URL": self.url,
            "INSTANCE_PATH": str(self.instance_path),
            "TWILIO_API_URL": "http://127.0.0.1:9",  # nobody is there: nothing is to be asked over REST
            "TWILIO_ACCOUNT_SID": ringing.ACCOUNT,
            "TWILIO_AUTH_TOKEN": ringing.TOKEN,
            "TWILIO_NUMBER": ringing.TWILIO_NUMBER,
            "OWNER_PHONE": ringing.OWNER_PHONE,
            "OPENAI_API_KEY": "of-the-bench",
            "OPENAI_BASE_URL": self._model_url,
            "TRANSCRIPTION_MODEL": "gpt-transcribe",
            "DRAIN_SECONDS": "0",
        }

    @property
    def program(self) -> Program:
        if self._program is None:
            raise RuntimeError("not started")
        return self._program

    def cpu_s(self) -> float:
        return self.program.cpu_s()

    def memory_mib(self) -> float:
        return self.program.memory_mib()

    def stop(self) -> None:
        if self._program is not None:
            self._program.stop()

    # --- a call ----------------------------------------------------------------

    async def ring(self, phone: Phone) -> None:
        await self.connect(phone, await self.webhook("incoming", phone.number))

    async def webhook(self, name: str, number: int, **fields: str) -> str:
        """One webhook; its document."""
        return await ringing.webhook(self.url, f"/voice/{name}", number, **fields)

    async def connect(self, phone: Phone, document: str) -> None:
        """Open the stream that the document asks for."""
        token = ringing.token_in(document)
        headers = {"X-Twilio-Signature": ringing.signature(self._stream_url)}
        await ws_connect(lambda: phone, self._stream_url, extra_headers=headers)
        phone.start(ringing.call_sid(phone.number), ringing.ACCOUNT, {"token": token})

    async def ended(self, number: int) -> None:
        await self.webhook("status", number, CallStatus="completed")


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        return int(probe.getsockname()[1])
