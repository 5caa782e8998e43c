"""What every response says about itself: security headers by hand, errors included.

The page policy allows nothing it does not name: scripts and styles only from this site or with the
response's own nonce, no frames around a page, no foreign address for a form (but where a calendar is
linked: browsers ask this for redirects too). Pages are never kept by a browser or a proxy: they hold what
strangers said.
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
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
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


def content_policy(nonce: str, form_goes_to: str = "") -> str:
    """The Content-Security-Policy of a page. form_goes_to: where its forms may lead besides this site."""
    rules = {
        "default-src": "'none'",
        "script-src": f"'nonce-{nonce}'",
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


def _add_headers(response: Response) -> Response:
    for name, value in ALWAYS.items():
        response.headers.setdefault(name, value)
    response.headers["Content-Security-Policy"] = content_policy(csp_nonce(), g.get("form_goes_to", ""))
    if request.endpoint not in SAYS_ITSELF or response.status_code >= 400:
        response.headers["Cache-Control"] = "private, no-store"
    return response
