"""The phone's page: the phone itself, dialling, and what a scripted caller says."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, abort, g, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from assistant.store import pins
from assistant.web.parts import parts
from assistant.web.phone import dialling
from assistant.web.phone.scripted import callers, steps_for_page
from assistant.web.phone.stream import STREAM


def register(app: Flask) -> None:
    """Put the page on the map, and what it asks for."""
    dialling.register(app)
    app.add_url_rule("/phone", "phone", phone)
    app.add_url_rule("/phone/dial", "phone_dial", dial, methods=["POST"])
    app.add_url_rule("/phone/voice/<line_id>", "phone_voice", voice)


def phone() -> ResponseReturnValue:
    """The page."""
    # See headers.py: the one page that may use the microphone, and the one script that carries no nonce.
    g.microphone = True
    g.worklet = _worklet()
    return render_template(
        "phone.html",
        stream=STREAM,
        callers=callers().everybody(),
        owner_phone=parts().settings.owner_phone,
        has_pin=parts().store.read(pins.has_pin),
    )


def _worklet() -> str:
    """The worklet as the browser may know it: a tunnel need not pass on the Host it was asked for."""
    path = url_for("static", filename="phone-worklet.js").partition("?")[0]  # a policy knows no query
    here = request.host_url.rstrip("/") + path
    return " ".join(dict.fromkeys([here, parts().settings.url(path)]))


def dial() -> ResponseReturnValue:
    """A call is to be made now: its token, and what the scripted caller does, if one was chosen."""
    as_, speaks = request.form.get("as", ""), request.form.get("speaks", "")
    caller = callers().find(speaks) if speaks else None
    if as_ not in dialling.AS or (speaks and caller is None):
        abort(400)
    if not dialling.number_of(as_):
        return {
            "problem": "To ring as yourself, OWNER_PHONE has to be set: the assistant knows you by it."
        }, 409
    try:
        ticket = dialling.dial(as_, current_user.get_id())
    except dialling.NotNow as reason:
        return {"problem": str(reason)}, 409
    answer: dict[str, Any] = {"call_sid": ticket.call_sid, "token": ticket.token}
    answer["watch"] = url_for("call", call_sid=ticket.call_sid)
    if caller is not None:
        answer["steps"] = steps_for_page(
            caller,
            lambda line_id: url_for("phone_voice", line_id=line_id),
            knows_voices=parts().settings.sandbox,
        )
    return answer


def voice(line_id: str) -> Response:
    """The sound of a scripted line: 8 kHz mu-law, nothing around it."""
    payload = callers().voice(line_id)
    if payload is None:
        abort(404, "There is no such line.")
    return Response(payload, mimetype="application/octet-stream")
