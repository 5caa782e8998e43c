"""Is a request really from the telephone company? Its signature says so, over the exact address.

The address is never taken from the request's headers: it is PUBLIC_URL, the path, and the query string
byte for byte. The algorithm is never chosen by a header either; it is HMAC-SHA1 with the auth token.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twilio.request_validator import RequestValidator


def signature_ok(token: str, url: str, params: Mapping[str, Any], header: str | None) -> bool:
    """Whether `header` (X-Twilio-Signature) signs this form at this address.

    params: the whole form, unknown and empty fields too; a MultiDict as it is, for its duplicates.
    False without a token or a header. A URL with a port may be signed without it: Twilio itself
    leaves the port out for https.
    """
    if not token or not header:
        return False
    return bool(RequestValidator(token).validate(url, params, header))


def stream_signature_ok(token: str, url: str, header: str | None) -> bool:
    """The same for the media socket's handshake: a ws or wss address and no form.

    Twilio's security page asks for a second try with a slash at the end.
    """
    return signature_ok(token, url, {}, header) or signature_ok(token, url + "/", {}, header)


def signed(token: str, url: str, form: Mapping[str, str]) -> str:
    """What Twilio would write into X-Twilio-Signature for this form at this address."""
    return str(RequestValidator(token).compute_signature(url, form))
