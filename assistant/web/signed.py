"""The door of the webhooks: only Twilio comes in, and only about our account.

Every webhook is signed, over our own address and every field; without a good signature nothing is read
and nothing kept. A bug behind the door is not the caller's: there is always a document to follow.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from flask import Response, abort, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from assistant.config import is_loopback
from assistant.telephony.rest import is_sid
from assistant.telephony.signature import signature_ok
from assistant.web.parts import parts

log = logging.getLogger(__name__)

SIGNATURE = "X-Twilio-Signature"

Form = Mapping[str, str]


def webhook(
    view: Callable[[str, Form], str | None], otherwise: Callable[[str], str] | None
) -> Callable[[], ResponseReturnValue]:
    """A view for `view(call_sid, form)`. otherwise: its document when that fails; None: a 500."""

    def answer() -> ResponseReturnValue:
        call_sid, form = _checked()
        try:
            document = view(call_sid, form)
        except HTTPException:
            raise
        except Exception:
            if otherwise is None:
                raise
            log.exception("%s: %s failed", call_sid, view.__name__)
            document = otherwise(call_sid)
        return ("", 204) if document is None else Response(document, content_type="text/xml; charset=utf-8")

    return answer


def _checked() -> tuple[str, Form]:
    """The call and the form of a request that is Twilio's, about our account. Else 403 or 400."""
    form = request.form
    settings = parts().settings
    token = settings.twilio_auth_token.get_secret_value()
    if not signature_ok(token, signed_url(settings.url), form, request.headers.get(SIGNATURE)):
        # The fields' names tell which webhook this claims to be; their values are not ours to keep.
        log.warning("refused: %s is not signed by Twilio (%d fields)", request.url_rule, len(form))
        abort(403)
    if form.get("AccountSid") != settings.twilio_account_sid:
        log.warning("refused: %s is about another account", request.url_rule)
        abort(403)
    call_sid = form.get("CallSid", "")
    if not is_sid("CA", call_sid):
        abort(400, "CallSid is missing, or is none.")
    if settings.sandbox:
        _note_sandbox(call_sid, form)
    return call_sid, form


def signed_url(url: Callable[[str], str]) -> str:
    """The address as Twilio was given it: our own, with the query string byte for byte."""
    query = request.query_string.decode("utf-8", "replace")
    return url(request.path) + (f"?{query}" if query else "")


def _note_sandbox(call_sid: str, form: Form) -> None:
    """A simulated call says where its REST side is, and which scenario it plays."""
    api_url, scenario = form.get("SandboxApiUrl", ""), form.get("SandboxScenario", "")
    if api_url and not _is_local_address(api_url):
        abort(400, "SandboxApiUrl is not an address of this machine.")
    if not re.fullmatch(r"[a-z0-9-]{0,40}", scenario):
        abort(400, "SandboxScenario is not the name of one.")
    call = parts().memory.of(call_sid)
    call.api_url = api_url.rstrip("/") or call.api_url
    call.scenario = scenario or call.scenario


def _is_local_address(url: str) -> bool:
    try:
        split = urlsplit(url)
        _ = split.port
    except ValueError:
        return False
    plain = split.path in ("", "/") and not split.query and not split.fragment and split.username is None
    return split.scheme == "http" and is_loopback(split.hostname or "") and plain
