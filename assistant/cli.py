"""The owner's commands: `flask export`, `prefs`, `caller`, `password`, `pin`, `backup`, `forget`, `prune`.

They work beside a running server and with none: each opens the database by itself, for as long as it
takes. What is wrong is said in one line on standard error, with exit status 1, and nothing is changed.
`flask call` is in `cli_call.py`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar, cast

import click
import orjson
from argon2 import PasswordHasher
from flask import Flask, current_app
from flask.cli import run_command, with_appcontext

from assistant.errors import AssistantError
from assistant.store import callers, export, housekeeping, logins, pins, preferences, program

if TYPE_CHECKING:
    from assistant.config import Settings
    from assistant.store import Database, Store

P = ParamSpec("P")
T = TypeVar("T")


STANDINGS: tuple[callers.Standing, ...] = ("blocked", "known", "stranger")  # blocked beats known


def register(app: Flask) -> None:
    """Give the app its commands; refuse to be served by `flask run`."""
    _refuse_flask_run()
    for command in (export_calls, prefs, caller, password, pin, backup, forget, prune):
        app.cli.add_command(command)


def _refuse_flask_run() -> None:
    """Flask looks for its own `run` before asking us for commands, but it loads the app from within it."""
    context = click.get_current_context(silent=True)
    if context is not None and context.command is run_command:
        raise click.ClickException("`flask run` cannot serve calls: use `make run`")


def _settings() -> Settings:
    return cast("Settings", current_app.extensions["afterbeep"].settings)


def _store() -> Store:
    return cast("Store", current_app.extensions["afterbeep"].store)


@contextmanager
def _one_line_errors() -> Iterator[None]:
    try:
        yield
    except AssistantError as error:
        raise click.ClickException(" ".join(str(error).split())) from error


def _in_the_app(function: Callable[P, T]) -> Callable[P, T]:
    """A command's body: it finds the app, and its errors are one line."""
    return with_appcontext(_one_line_errors()(function))


@click.command("export")
@click.option("--call", "call_sid", metavar="SID", help="Only this call.")
@_in_the_app
def export_calls(call_sid: str | None) -> None:
    """Print calls as JSON lines, oldest first."""
    if call_sid is None:
        _store().read(_print_all)
    elif (call := _store().read(export.export_call, call_sid)) is not None:
        _print_json(call)
    else:
        raise click.ClickException(f"there is no call {call_sid}")


def _print_all(db: Database) -> None:
    for call in export.export_all(db):
        _print_json(call)


def _print_json(call: export.Row) -> None:
    click.echo(orjson.dumps(call))


# A value may begin with a minus: it is then a wrong value, not an unknown option.
@click.command("prefs", context_settings={"ignore_unknown_options": True})
@click.argument("name", required=False)
@click.argument("value", required=False)
@_in_the_app
def prefs(name: str | None, value: str | None) -> None:
    """Print all preferences, or one, or set one."""
    if name is None:
        for each, shown in _store().read(preferences.all_preferences).items():
            click.echo(f"{each}={shown}")
        return
    if value is None:
        click.echo(f"{name}={_store().read(preferences.get, name)}")
        return
    click.echo(f"{name}={_store().write(preferences.set, name, value)}")
    if (warning := _store().read(preferences.load).warning) and name in ("disclosure", "record_audio"):
        click.echo(f"Warning: {warning}", err=True)


@click.command("caller")
@click.argument("number")
@click.option("--name", help="What the caller is called; empty removes the name.")
@click.option("--known", is_flag=True, help="Is booked at once; may move and cancel.")
@click.option("--blocked", is_flag=True, help="Is not answered.")
@click.option("--stranger", is_flag=True, help="Neither known nor blocked.")
@_in_the_app
def caller(number: str, name: str | None, **standings: bool) -> None:
    """Show or set what is kept about a number."""
    number = _normalised(number)
    standing = next((each for each in STANDINGS if standings[each]), None)
    if name is None and standing is None:
        kept = _store().read(callers.standing, number)
    else:
        kept = _store().write(callers.set_caller, number, name=name, standing=standing)
    click.echo(f"number={number}\nname={kept['name'] or ''}\nstanding={kept['standing']}")


def _normalised(number: str) -> str:
    """As numbers are kept; one without + is read as dialled where the owner's numbers are."""
    settings = _settings()
    region = callers.region_of(settings.twilio_number) or callers.region_of(settings.owner_phone)
    return callers.normalise(number, region=region)


@click.command("password")
@_in_the_app
def password() -> None:
    """Set the owner's password; every browser has to log in again."""
    chosen = _ask_twice("password")
    shortest, longest = logins.SHORTEST_PASSWORD, logins.LONGEST_PASSWORD
    if not shortest <= len(chosen) <= longest:
        raise click.ClickException(f"a password has {shortest} to {longest} characters")
    _store().write(logins.set_password_hash, _hashed(chosen))
    click.echo("The password is set. Every browser has to log in again.")


@click.command("pin")
@_in_the_app
def pin() -> None:
    """Set the keypad PIN that makes a caller the owner; an empty one removes it."""
    chosen = _ask_twice("PIN", may_be_empty=True)
    if not chosen:
        _store().write(pins.set_pin_hash, None)
        click.echo("There is no PIN now: nobody is the owner on the telephone.")
        return
    if not re.fullmatch(f"[0-9]{{{pins.SHORTEST},{pins.LONGEST}}}", chosen):  # \d: digits no keypad has
        raise click.ClickException(
            f"a PIN has {pins.SHORTEST} to {pins.LONGEST} digits, and nothing else; an empty line removes it"
        )
    _store().write(pins.set_pin_hash, _hashed(chosen))
    click.echo("The PIN is set.")


def _hashed(secret: str) -> str:
    return PasswordHasher().hash(secret)


def _ask_twice(what: str, *, may_be_empty: bool = False) -> str:
    """Twice at a terminal; else one line, or two equal ones, from standard input."""
    if sys.stdin.isatty():
        return _prompt(what, may_be_empty)
    lines = sys.stdin.read().splitlines()
    if not lines or len(lines) > 2:
        raise click.ClickException(f"give the {what} on standard input: one line, or the same twice")
    if lines[0] != lines[-1]:
        raise click.ClickException("the two lines are not equal")
    return lines[0]


def _prompt(what: str, may_be_empty: bool) -> str:
    empty = "" if may_be_empty else None  # what an empty line stands for; without it, click asks again
    asked = what[0].upper() + what[1:]
    return str(
        click.prompt(asked, hide_input=True, confirmation_prompt=True, default=empty, show_default=False)
    )


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
@_in_the_app
def backup(file: Path) -> None:
    """Copy the database to a new FILE (without the recordings)."""
    housekeeping.backup(_settings().database, file)
    _store().write(program.note, program.BACKUP, {}, datetime.now(UTC))
    click.echo(f"Copied to {file}, without the recordings.")


@click.command("forget")
@click.argument("number")
@_in_the_app
def forget(number: str) -> None:
    """Remove a caller everywhere, and print what was removed."""
    number = _on_file(number)
    removed = housekeeping.forget(_store(), _settings().instance_path, number)
    click.echo(f"Removed of {number}: {removed}.{_left_in_google(removed.in_google)}")
    if removed.traces:
        click.echo("Traces are left in the database's log while another program reads it: "
                   "run `flask prune` when it is done.", err=True)  # fmt: skip


def _left_in_google(appointments: int) -> str:
    """What is not ours to remove."""
    if not appointments:
        return ""
    stay = "1 appointment stays" if appointments == 1 else f"{appointments} appointments stay"
    return f" {stay} in Google Calendar: to be removed there."


def _on_file(number: str) -> str:
    """The number as it is kept: a caller whose number was no number is on file exactly as it came."""
    try:
        return _normalised(number)
    except AssistantError:
        if housekeeping.is_on_file(_store(), number):
            return number
        raise


@click.command("prune")
@_in_the_app
def prune() -> None:
    """Apply the retention preferences now."""
    removed = housekeeping.prune(_store(), _settings().instance_path)
    click.echo(f"Removed: {removed}.")
