"""The tree tells the story of a call: who may import whom.

A row may import the rows below it; what stands on one row does not know its neighbours. Imports inside
functions count, and so do those for type checking alone: to know somebody's type is to know them.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# From the top down. A name is a module or a package of assistant/; `app` is app.py.
ROWS = [
    {"app"},
    {"web", "cli", "server"},
    {"answering", "rounds", "doctor"},
    {"bridge", "lobby", "greeting"},
    {"beside"},
    {"keeping", "owner_pin", "phone_side"},
    {"tools"},
    {"telephony", "realtime", "calendars", "notify"},
    {"store", "live", "live_calls", "channel", "inbox", "green"},
    {"call", "prompt", "trust", "config"},
    {"audio", "errors", "frames", "lateness", "peaks"},  # the ruler and the words that all the others share
]
ROW_OF = {name: number for number, row in enumerate(ROWS) for name in row}
SAME = {"cli_call": "cli", "cli_doctor": "cli"}  # the commands fill three modules

# Somebody else's library -> the only ones of ours that may import it (a prefix of the module's name).
ONLY = {
    "flask": ["app", "web", "cli"],
    "flask_sock": ["app", "web"],
    "flask_login": ["app", "web"],
    "flask_wtf": ["app", "web"],
    "flask_limiter": ["app", "web"],
    "werkzeug": ["app", "web", "cli"],
    "click": ["cli"],
    "gevent": ["app", "server", "green"],
    "greenlet": ["app", "server", "green"],
    "twilio": ["telephony"],
    "websocket": ["realtime.client"],
    "sqlite_utils": ["store"],
    "sqlite3": ["store"],
    "websockets": ["sandbox", "frames"],  # of it, frames takes the mask alone
    "googleapiclient": ["calendars.google"],
    "google_auth_oauthlib": ["calendars.google"],
    "google_auth_httplib2": ["calendars.google"],
    "google": ["calendars.google"],
    "httplib2": ["calendars.google"],
    "oauthlib": ["calendars.google"],
    "cryptography": ["calendars.google"],
    "icalendar": ["web.feed"],
    "apprise": ["notify"],
}
# The sandbox is the other end of every socket: what it shared with us would hide our misreadings.
SANDBOX_MAY_USE = {"numpy", "websockets"}
# The core is told the time and handed the data; it fetches nothing.
NO_IO = {"call", "prompt", "trust", "audio"}
IO = {"asyncio", "http", "os", "queue", "select", "selectors", "socket", "sqlite3", "ssl"} | {
    "subprocess",
    "threading",
    "time",
    "urllib",
}


@dataclass(frozen=True, slots=True)
class Import:
    """`importer` ("web.login") names `imported` ("assistant.store.calls") in that line of that file."""

    importer: str
    imported: str
    where: str

    @property
    def unit(self) -> str:
        """The module or package of ours that imports: what has a row."""
        return _unit(self.importer)


def _unit(name: str) -> str:
    first = name.split(".")[0]
    return SAME.get(first, first)


def modules(root: Path) -> Iterator[tuple[str, Path]]:
    """The name without `assistant.` and the file of app.py and of all in assistant/."""
    for path in sorted([*root.glob("app.py"), *root.glob("assistant/**/*.py")]):
        name = [part for part in path.relative_to(root).with_suffix("").parts if part != "__init__"]
        yield ".".join(name[1:] or name), path


def imports(root: Path) -> Iterator[Import]:
    """Every import of app.py and assistant/, in absolute names."""
    for importer, path in modules(root):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            for imported in _named(node, list(path.relative_to(root).parent.parts)):
                yield Import(importer, imported, f"{path.relative_to(root)}:{getattr(node, 'lineno', 0)}")


def _named(node: ast.AST, package: list[str]) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = package[: len(package) - node.level + 1] if node.level else []
    module = ".".join([*base, *([node.module] if node.module else [])])
    # `from assistant import config` names a module; what is named deeper is a thing in one.
    if module.split(".")[0] == "assistant":
        return [f"{module}.{alias.name}" for alias in node.names]
    return [module]


def violations(root: Path) -> list[str]:
    """One line for each module that has no place and each import that points the wrong way."""
    units = {_unit(name) for name, _ in modules(root)} - {"assistant", "sandbox"} - set(ROW_OF)
    found = [f"{unit} has no row yet: give it one here and in DESIGN" for unit in sorted(units)]
    for one in imports(root):
        reason = _of_ours(one) if one.imported.split(".")[0] in ("assistant", "app") else _of_others(one)
        if reason:
            found.append(f"{one.where}: {one.importer} imports {one.imported}: {reason}")
    return found


def _of_ours(one: Import) -> str | None:
    name = one.imported.removeprefix("assistant.")
    target, unit = _unit(name), one.unit
    if target == unit or one.imported == "assistant":
        return None
    if unit == "sandbox":
        return None if target == "audio" else "the sandbox knows nothing of ours but audio"
    if target == "sandbox":
        return None if unit in ("app", "cli") else "only app, cli and tests know the sandbox"
    if unit not in ROW_OF or target not in ROW_OF:
        return None  # told once, for the module
    if ROW_OF[unit] == ROW_OF[target]:
        return "they stand on one row and do not know each other"
    return None if ROW_OF[unit] < ROW_OF[target] else "imports point down, and this one points up"


def _of_others(one: Import) -> str | None:
    library = one.imported.split(".")[0]
    if library in ONLY and not any(_is_in(one.importer, home) for home in ONLY[library]):
        return f"only {', '.join(ONLY[library])} may import {library}"
    if one.unit == "sandbox" and library not in SANDBOX_MAY_USE | sys.stdlib_module_names:
        return f"the sandbox uses {', '.join(sorted(SANDBOX_MAY_USE))} and the standard library"
    if one.unit in NO_IO and library in IO:
        return f"{one.unit} does no I/O"
    if one.unit == "call" and library in ("json", "orjson"):
        return "a call has never heard of JSON"
    return None


def _is_in(importer: str, home: str) -> bool:
    return importer == home or importer.startswith(home + ".") or _unit(importer) == home


def test_imports_point_one_way():
    if found := violations(ROOT):
        pytest.fail("\n".join(found), pytrace=False)


def test_the_map_imports_nothing():
    """assistant/__init__.py is read by people, and by every import of every module."""
    assert [
        one for one in imports(ROOT) if one.importer == "assistant" and "__future__" not in one.imported
    ] == []


@pytest.mark.parametrize(
    ("path", "line", "reason"),
    [
        ("assistant/store/calls.py", "from assistant.web import login", "points up"),
        ("assistant/store/calls.py", "import assistant.bridge", "points up"),
        ("assistant/telephony/rest.py", "from assistant.realtime.client import x", "one row"),
        ("assistant/telephony/rest.py", "from ..realtime import client", "one row"),
        ("assistant/call/machine.py", "from assistant import trust", "one row"),
        ("assistant/call/tools.py", "import orjson", "JSON"),
        ("assistant/web/inbox.py", "from assistant import cli_call", "one row"),
        ("assistant/audio.py", "from .call import events", "points up"),
        ("assistant/bridge.py", "from assistant.server import serve", "points up"),
        ("assistant/call/deep/er.py", "from ... import store", "points up"),
        ("assistant/sandbox/model.py", "from assistant.realtime import wire", "nothing of ours but audio"),
        ("assistant/sandbox/model.py", "import orjson", "numpy, websockets and the standard library"),
        ("assistant/bridge.py", "from assistant.sandbox import model", "only app, cli and tests"),
        ("assistant/store/calls.py", "    import app", "points up"),
        ("assistant/bridge.py", "import flask", "only app, web, cli may import flask"),
        ("assistant/store/calls.py", "from flask_login import current_user", "may import flask_login"),
        ("assistant/bridge.py", "import gevent.queue", "only app, server, green may import gevent"),
        ("assistant/web/media.py", "from twilio.request_validator import x", "only telephony"),
        ("assistant/realtime/session.py", "import websocket", "only realtime.client"),
        ("assistant/realtime/client_side.py", "import websocket", "only realtime.client"),
        ("assistant/web/calls.py", "import sqlite3", "only store"),
        ("assistant/realtime/client.py", "import websockets.sync.client", "only sandbox"),
        ("assistant/call/machine.py", "import time", "call does no I/O"),
        ("assistant/call/machine.py", "if TYPE_CHECKING:\n    import assistant.store", "points up"),
    ],
)
def test_a_wrong_import_is_found(tmp_path: Path, path: str, line: str, reason: str):
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_text(f"def late() -> None:\n{line}\n" if line.startswith(" ") else line)

    (found,) = violations(tmp_path)

    assert found.startswith(f"{path}:")
    assert reason in found


def test_a_new_module_needs_a_place(tmp_path: Path):
    file = tmp_path / "assistant" / "helpers.py"
    file.parent.mkdir()
    file.write_text("from assistant import errors, store")

    assert violations(tmp_path) == ["helpers has no row yet: give it one here and in DESIGN"]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("app.py", "import gevent, flask\nfrom assistant.sandbox.model import SandboxModel"),
        ("assistant/server.py", "from gevent import pywsgi"),
        ("assistant/cli.py", "from assistant import cli_call\nfrom assistant.sandbox import caller"),
        ("assistant/cli_call.py", "import click, flask"),
        ("assistant/web/calls.py", "from .parts import parts\nfrom assistant.store import calls"),
        ("assistant/web/__init__.py", "from . import login"),
        ("assistant/bridge.py", "from assistant.call import events\nfrom assistant.tools import Toolbox"),
        ("assistant/store/calls.py", "from assistant.errors import StoreError\nimport sqlite_utils"),
        ("assistant/realtime/client.py", "from websocket import WebSocket"),
        ("assistant/call/machine.py", "from assistant.audio import silence"),
        ("assistant/sandbox/model.py", "from assistant import audio\nimport websockets.sync.server, socket"),
    ],
)
def test_a_right_import_is_left_alone(tmp_path: Path, path: str, line: str):
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(line)

    assert violations(tmp_path) == []
