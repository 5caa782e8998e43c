"""`flask doctor`: what works and what does not, one line for each check, with what to do about it.

Works beside the server and with none. Exit 1 when a check is red; amber ones can wait. What was found is kept
for the doctor's page, like what the page finds itself.
"""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from datetime import UTC, datetime

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from assistant.doctor import Check, Patient, examine, keep
from assistant.errors import StoreError


def register(app: Flask) -> None:
    """Add the command to the app."""
    app.cli.add_command(doctor)


@click.command("doctor")
@with_appcontext
def doctor() -> None:
    """Look what works and what does not; exit status 1 when something does not."""
    # What goes wrong on the way is in the checks; with no handler at all it would be on the terminal too.
    logging.getLogger().addHandler(logging.NullHandler())
    parts = current_app.extensions["afterbeep"]
    checks = []
    for check in examine(Patient(parts.settings, parts.store, parts.google)):
        click.echo(line(check))
        checks.append(check)
    with suppress(StoreError):  # a check has told
        keep(parts.store, checks, datetime.now(UTC))
    sys.exit(1 if any(check.state == "red" for check in checks) else 0)


def line(check: Check) -> str:
    """A check on one line."""
    said = " ".join([check.found, check.cause, check.action])
    return f"{check.state:<5}  {check.name}: {' '.join(said.split())}"
