"""What a page says when it cannot be shown. HTTP status codes live here.

| what | status |
| --- | --- |
| an address, a method, a form that is wrong | its own 4xx |
| an outside service or the database failed (`AssistantError`) | 502, the busy database 503 |
| a bug | a plain 500; the log has the traceback and the route's pattern, never the address asked for |

A webhook or a script is told in one line of text: its reader is not a person.
"""

from __future__ import annotations

import logging

from flask import Flask, Response, make_response, render_template, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from assistant.errors import AssistantError, StoreBusy

log = logging.getLogger("afterbeep.web")

WORDS: dict[int, tuple[str, str]] = {
    400: ("That request was not understood", "Go back, reload the page and try again."),
    401: ("Please log in", "This page is the owner's. Log in and try again."),
    403: ("Not allowed", "This is not open to you."),
    404: ("Not found", "There is nothing at this address. It may have been deleted, or never was."),
    405: ("Not like that", "This address does not take that kind of request."),
    413: ("Too big", "More was sent than this page takes."),
    416: ("Not in this file", "The part asked for is beyond the end."),
    429: ("Too many tries", "Wait a minute, then try again."),
    502: ("That did not work", "Something this page needs did not answer."),
    503: ("Busy", "Try again in a moment."),
}
FORM_TOO_OLD = "The form was too old, or came from another page. Go back, reload the page and try again."


def register(app: Flask) -> None:
    """Answer every error in the pages' own layout."""
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(AssistantError, _failed)
    app.register_error_handler(Exception, _bug)


def _http_error(error: HTTPException) -> Response:
    if error.response is not None or error.code is None or error.code < 400:
        return make_response(error)
    # A description of our own (`abort(404, "…")`) is for the owner; the libraries' are not shown.
    own = error.description if error.description != type(error).description else None
    text = FORM_TOO_OLD if isinstance(error, CSRFError) else own
    response = _page(error.code, text if error.code not in {413, 429} else None)
    for name, value in error.get_headers(request.environ):
        if name.lower() != "content-type":
            response.headers[name] = value
    return response


def _failed(error: AssistantError) -> Response:
    log.warning("%s: %s", _route(), type(error).__name__)
    return _page(503 if isinstance(error, StoreBusy) else 502, str(error))


def _bug(error: Exception) -> Response:
    log.error("a bug on %s", _route(), exc_info=error)
    # No template: it may be the template that is broken.
    text = "Something went wrong. The log of the program says what.\n"
    return make_response(text, 500, {"Content-Type": "text/plain; charset=utf-8"})


def _page(status: int, text: str | None) -> Response:
    title, advice = WORDS.get(status, WORDS[400] if status < 500 else WORDS[502])
    if not _read_by_a_person():
        return make_response(f"{title}\n", status, {"Content-Type": "text/plain; charset=utf-8"})
    body = render_template("error.html", status=status, title=title, text=text or advice)
    return make_response(body, status)


def _read_by_a_person() -> bool:
    if request.path.startswith("/voice/") or request.headers.get("Upgrade"):
        return False
    return "Accept" not in request.headers or request.accept_mimetypes.accept_html


def _route() -> str:
    return request.url_rule.rule if request.url_rule else "-"
