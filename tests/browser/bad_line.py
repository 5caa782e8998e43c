"""A bad line between a browser and the program: streams that are cut, scripts that come late.

A proxy on a port of its own, which passes on what it gets. It knows as much of HTTP as it needs: a browser
sends its next request on a connection only when it has had the answer to the last.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

REQUEST = re.compile(rb"GET (/\S*) HTTP/1")
STREAM = re.compile(rb"/live(\?|$)")
SCRIPT = re.compile(rb"\.js(\?|$)")
PIECE_BYTES = 65536


class BadLine:
    """The program at `url`, through a proxy. late_s: how long every script is held back. Context manager."""

    def __init__(self, url: str, late_s: float = 0.0) -> None:
        self.asked_for_streams = 0
        self._there = urlsplit(url)
        self._late_s = late_s
        self._door = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._flowing: set[socket.socket] = set()  # browsers that have been sent something of a stream
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._door.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._beside(self._let_in)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shut(self._door)
        with self._changed:
            remaining = list(self._open)
        for one in remaining:
            self._shut(one)
        for thread in self._threads:
            thread.join(10)

    def cut(self, within_s: float) -> bool:
        """Cut a stream that is flowing, as soon as there is one; whether there was."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._flowing, within_s):
                return False
            browser = self._flowing.pop()
        self._shut(browser)
        return True

    def _let_in(self) -> None:
        with suppress(OSError):  # the door is shut
            while True:
                browser, _ = self._door.accept()
                program = socket.create_connection((self._there.hostname or "", self._there.port or 80))
                with self._changed:
                    self._open |= {browser, program}
                line = _Line(browser, program)
                self._beside(self._pass_there, line)
                self._beside(self._pass_back, line)

    def _pass_there(self, line: _Line) -> None:
        while piece := self._read(line.browser):
            if asked := REQUEST.match(piece):
                line.is_stream = STREAM.search(asked[1]) is not None
                self.asked_for_streams += line.is_stream
                if SCRIPT.search(asked[1]):
                    time.sleep(self._late_s)
            if not self._write(line.program, piece):
                break
        self._hang_up(line)

    def _pass_back(self, line: _Line) -> None:
        while (piece := self._read(line.program)) and self._write(line.browser, piece):
            if line.is_stream:
                with self._changed:
                    self._flowing.add(line.browser)
                    self._changed.notify_all()
        self._hang_up(line)

    def _hang_up(self, line: _Line) -> None:
        for one in (line.browser, line.program):
            self._shut(one)
        with self._changed:
            self._open -= {line.browser, line.program}
            self._flowing.discard(line.browser)

    @staticmethod
    def _read(one: socket.socket) -> bytes:
        try:
            return one.recv(PIECE_BYTES)
        except OSError:
            return b""

    @staticmethod
    def _write(one: socket.socket, piece: bytes) -> bool:
        try:
            one.sendall(piece)
        except OSError:
            return False
        return True

    @staticmethod
    def _shut(one: socket.socket) -> None:
        """Wake whoever reads from it, too: a close alone does not."""
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()

    def _beside(self, function: object, *args: object) -> None:
        thread = threading.Thread(target=function, args=args, name="bad line", daemon=True)  # type: ignore[arg-type]
        thread.start()
        self._threads.append(thread)


class _Line:
    """One connection, both ways."""

    def __init__(self, browser: socket.socket, program: socket.socket) -> None:
        self.browser = browser
        self.program = program
        self.is_stream = False
