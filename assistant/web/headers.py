"""What every response says about itself: security headers by hand, errors included.

The page policy allows nothing it does not name: scripts only with the response's own nonce, styles from
this site, no frames around a page, no foreign address for a form. Pages are never kept by a browser or a
proxy: they hold what strangers said. A view that needs one thing more says so in `g`, for its own response:

| in `g` | what it opens |
| --- | --- |
| `form_goes_to` | an origin its forms may lead to besides this site: browsers ask this for redirects too |
| `microphone` | True: the page may ask for the microphone |
| `worklet` | the absolute address of one script that is loaded without a nonce, as audio worklets are |
"""

from __future__ import annotations

import secrets

from flask import Flask, Response, g, request

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

SAYS_ITSELF = frozenset({"static", "calendar_feed"})  # for how long it may be kept


def register(app: Flask) -> None:
    """Put the headers on every response and `csp_nonce()` into every template."""
    app.after_request(_add_headers)
    app.jinja_env.globals["csp_nonce"] = csp_nonce


def csp_nonce() -> str:
    """This response's nonce: the one thing that lets a script or style of a page run."""
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(16)
    return str(g.csp_nonce)


def content_policy(nonce: str, *, form_goes_to: str = "", worklet: str = "") -> str:
    """The Content-Security-Policy of a page; for the two exceptions see the top."""
    rules = {
        "default-src": "'none'",
        "script-src": f"'nonce-{nonce}' {worklet}".rstrip(),
        "style-src": f"'self' 'nonce-{nonce}'",
        "img-src": "'self' data:",
        "media-src": "'self' blob:",
        "connect-src": "'self'",
        "font-src": "'self'",
        "manifest-src": "'self'",
        "worker-src": "'self'",
        "form-action": f"'self' {form_goes_to}".rstrip(),
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def permissions_policy(*, microphone: bool = False) -> str:
    """What of the device a page may ask for."""
    return f"camera=(), geolocation=(), microphone={'(self)' if microphone else '()'}, payment=(), usb=()"


def _add_headers(response: Response) -> Response:
    for name, value in ALWAYS.items():
        response.headers.setdefault(name, value)
    policy = content_policy(csp_nonce(), form_goes_to=g.get("form_goes_to", ""), worklet=g.get("worklet", ""))
    response.headers["Content-Security-Policy"] = policy
    response.headers["Permissions-Policy"] = permissions_policy(microphone=g.get("microphone", False))
    if request.endpoint not in SAYS_ITSELF or response.status_code >= 400:
        response.headers["Cache-Control"] = "private, no-store"
    return response
