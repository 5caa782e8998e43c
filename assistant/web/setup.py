"""The set-up: five short steps, all but the password with a live check, and at the end the first call.

What is wiring (addresses, numbers, keys) stays in the environment or in `.env`: the page says which lines go
there, and never writes them. What it does by itself: a first password, and, once the owner has seen what will
change, the addresses of the number at Twilio.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from flask import Flask, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from assistant.doctor import kept
from assistant.doctor.twilio import twilio_account
from assistant.errors import RestError
from assistant.store import Database, logins, program
from assistant.telephony.account import NumberFact, NumberWish, TwilioAccount
from assistant.web import login, setup_steps
from assistant.web.doctor import look_again, patient, pieces
from assistant.web.inbox import words
from assistant.web.parts import parts

log = logging.getLogger(__name__)

WAIT_FOR_THE_STORE_S = 5.0
FALLBACK_STAYS = "“Primary handler fails” stays as it is."


def register(app: Flask) -> None:
    """Put the page and its buttons on the map."""
    app.add_url_rule("/setup", "setup", setup)
    app.add_url_rule("/setup/check", "check_setup", check, methods=["POST"])
    app.add_url_rule("/setup/password", "first_password", first_password, methods=["POST"])
    app.add_url_rule("/setup/number", "setup_number", number)
    app.add_url_rule("/setup/number", "point_number", point_number, methods=["POST"])


def setup() -> ResponseReturnValue:
    """The page; `?step=` opens one of the steps, else the first that is not done."""
    return _page()


def _page(wrong_password: str = "") -> str:
    of, found = patient(), kept(parts().store)
    steps = setup_steps.steps(of, found)
    chosen = next((step.name for step in steps if step.name == request.args.get("step")), None)
    first_open = next((step.name for step in steps if step.state != "done"), "call")
    settings = of.settings
    return render_template(
        "setup.html",
        steps=steps,
        current="password" if wrong_password else chosen or first_open,
        wrong_password=wrong_password,
        has_password=steps[0].state == "done",
        has_phone=of.has_phone,
        settings=settings,
        port=settings.port,
        is_set=lambda line: setup_steps.is_set(of, line),
        at_twilio=setup_steps.at_twilio(settings.public_url if of.has_phone else ""),
        goodbye=setup_steps.GOODBYE,
        is_down=setup_steps.IS_DOWN,
        codes=setup_steps.forwarding(settings.twilio_number if of.has_phone else ""),
        found=found,
        newest=parts().store.read(program.newest_call),
        pieces=pieces,
        show=words(),
    )


def check() -> ResponseReturnValue:
    """The button of a step: have the doctor look at what it is about."""
    step = _step(request.form.get("step", ""))
    look_again(step.organs)
    return _back_to(step.name)


def _step(name: str) -> setup_steps.Step:
    step = next((step for step in setup_steps.steps(patient(), {}) if step.name == name), None)
    if step is None:
        abort(400)
    return step


def _back_to(step: str) -> ResponseReturnValue:
    return redirect(url_for("setup", step=step, _anchor=step), 303)


# --- the password ----------------------------------------------------------------


def first_password() -> ResponseReturnValue:
    """Set the password, where there is none yet; it is changed under Settings (`settings.access`)."""
    chosen, again = request.form.get("password", ""), request.form.get("again", "")
    if not logins.SHORTEST_PASSWORD <= len(chosen) <= logins.LONGEST_PASSWORD:
        return _page(f"A password has {logins.SHORTEST_PASSWORD} characters or more."), 400
    if chosen != again:
        return _page("The two are not the same. Type it twice."), 400
    hashed, old_login = login.hashed(chosen), str(current_user.get_id())
    login_id = parts().store.write(
        _set_first, hashed, old_login, request.user_agent.string, timeout_s=WAIT_FOR_THE_STORE_S
    )
    if login_id is None:
        flash("There is a password already. Change it under Settings.", "problem")
        return _back_to("password")
    login.enter(login_id)
    flash("The password is set. Every other browser has to log in again.", "done")
    return redirect(url_for("setup"), 303)


def _set_first(db: Database, hashed: str, login_id: str, user_agent: str) -> str | None:
    """Every login ends, and this browser gets a new one. None: somebody was quicker, or is out already."""
    now = datetime.now(UTC)
    if logins.password_hash(db) is not None or logins.get(db, login_id, now=now) is None:
        return None
    logins.set_password_hash(db, hashed)
    return logins.add(db, now=now, user_agent=user_agent)


# --- the number --------------------------------------------------------------------


def number() -> ResponseReturnValue:
    """What would be set at Twilio; nothing is, yet."""
    account, fact = _number()
    if account is None or fact is None:
        return _back_to("number")
    wish = _wish()
    return render_template("setup_number.html", number=parts().settings.twilio_number,
                           changes=wish.changes(fact), stays=FALLBACK_STAYS,
                           show=words())  # fmt: skip


def point_number() -> ResponseReturnValue:
    """Set it, and look whether it worked."""
    account, fact = _number()
    if account is None or fact is None:
        return _back_to("number")
    try:
        account.point_number(fact.number_sid, _wish())
    except RestError as error:
        log.warning("the number was not set: %s", error)
        flash(f"Nothing was set: {error}.", "problem")
        return _back_to("number")
    flash("Twilio sends the calls of your number here now.", "done")
    look_again(("Twilio",))
    return _back_to("number")


def _wish() -> NumberWish:
    return NumberWish.at(parts().settings.public_url)


def _number() -> tuple[TwilioAccount | None, NumberFact | None]:
    """The number as Twilio has it; flashes why it cannot be had."""
    of = patient()
    if not of.has_phone:
        flash("First fill in the lines of this step, and restart.", "problem")
        return None, None
    account = twilio_account(of)
    try:
        fact = account.number(of.settings.twilio_number)
    except RestError as error:
        flash(f"The number cannot be looked at: {error}.", "problem")
        return None, None
    if fact is None:
        flash("TWILIO_NUMBER is not among this account's numbers.", "problem")
    return account, fact
