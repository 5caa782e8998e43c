"""`flask doctor`: what works and what does not, one line for each check, with what to do about it.

Works beside the server and with none. Exit 1 when a check is red; amber ones can wait.
"""

from __future__ import annotations

import logging
import sys

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from assistant.doctor import Check, Patient, examine


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
    red = False
    for check in examine(Patient(parts.settings, parts.store, parts.google)):
        click.echo(line(check))
        red = red or check.state == "red"
    sys.exit(1 if red else 0)


def line(check: Check) -> str:
    """A check on one line."""
    said = " ".join([check.found, check.cause, check.action])
    return f"{check.state:<5}  {check.name}: {' '.join(said.split())}"
