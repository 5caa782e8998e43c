"""Linking Google Calendar: what to do for it, the link's state, linking again and giving it up.

Everything that can go wrong at Google ends as a sentence on this page. The state that Google gives back is
bound to this browser's session, so that nobody can make the owner finish somebody else's link.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

from flask import Flask, abort, flash, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from assistant.calendars.google import Account, Google
from assistant.calendars.google.client_secret import LARGEST_BYTES, ClientSecret
from assistant.calendars.google.consent import PERMISSIONS_PAGE, SCOPES
from assistant.calendars.google.failures import LINK_AGAIN, without, word
from assistant.config import is_loopback
from assistant.errors import AssistantError, CalendarUnavailable, LinkError
from assistant.store import preferences
from assistant.web.parts import parts
from assistant.web.words import Words

log = logging.getLogger(__name__)

STATE = "google_state"
CANCELLED = "You pressed Cancel at Google, so nothing has changed."
NOT_THIS_BROWSER = (
    "This answer of Google's does not belong to a link that was begun in this browser, or it was used"
    " already. Nothing has changed. Press Link again."
)
NAMES_OF_THIS_HOUSE = (".local", ".lan", ".internal", ".home.arpa")  # no public name ends like this


def register(app: Flask) -> None:
    """Put the page, its buttons and the address Google comes back to on the map."""
    app.add_url_rule("/calendar/link", "calendar_link", calendar_link)
    app.add_url_rule("/calendar/link", "begin_calendar_link", begin, methods=["POST"])
    app.add_url_rule("/calendar/link/client", "keep_google_client", keep_client, methods=["POST"])
    app.add_url_rule("/calendar/link/check", "check_calendar_link", check, methods=["POST"])
    app.add_url_rule("/calendar/link/unlink", "unlink_calendar", unlink, methods=["POST"])
    app.add_url_rule("/calendar/oauth/callback", "calendar_linked", came_back)


def calendar_link() -> ResponseReturnValue:
    """The page."""
    return _page()


def begin() -> ResponseReturnValue:
    """The Link button: send the browser to Google."""
    try:
        url, session[STATE] = _google().begin(_redirect_uri())
    except LinkError as error:
        return _back(str(error), "problem")
    return redirect(url, 303)


def came_back() -> ResponseReturnValue:
    """Google has sent the browser back, with a code or without."""
    if request.method == "HEAD" or "prefetch" in request.headers.get("Sec-Purpose", ""):
        abort(503)  # whoever only looks ahead must not use it up
    state, begun = request.args.get("state", ""), session.get(STATE, "")
    if not begun or not hmac.compare_digest(state.encode(), str(begun).encode()):
        log.warning("an answer of Google's that was not asked for")
        return _page(NOT_THIS_BROWSER), 400
    session.pop(STATE)
    try:
        return _finish(state)
    except LinkError as error:
        return _back(str(error), "problem")


def _finish(state: str) -> ResponseReturnValue:
    google, code = _google(), request.args.get("code", "")
    if "error" in request.args or not code:
        google.give_up(state)
        said = word(request.args.get("error"))
        refused = f"Not linked: Google answered {said or 'without a code'}. Nothing has changed."
        return _back(CANCELLED if said == "access_denied" else refused, "problem")
    before = google.account()
    google.finish(state, code)
    try:
        name = google.check().name
    except CalendarUnavailable as error:
        said = "" if _says(google.account(), error) else str(error)
        return _back(f"Linked, but the calendar cannot be used yet. {said}", "problem")
    other = before.name if before and before.name != name else ""
    # To give it up by ourselves could end the new link too: a calendar's name is no account's.
    left = f" What {other} has allowed stays in force until you remove it at {PERMISSIONS_PAGE}"
    return _back(f"Linked with {name or 'your calendar'}.{left if other else ''}", "done")


def keep_client() -> ResponseReturnValue:
    """The client secret, as a file or as its text."""
    sent = request.files.get("file")
    text = sent.read(LARGEST_BYTES + 1) if sent and sent.filename else request.form.get("text", "").encode()
    try:
        _google().keep_client(text)
    except LinkError as error:
        return _back(f"Nothing was kept. {error}", "problem")
    return _back("The client secret is kept.", "done")


def check() -> ResponseReturnValue:
    """Ask Google whether it works."""
    google = _google()
    try:
        account = google.check()
    except (CalendarUnavailable, LinkError) as error:
        return _back("" if _says(google.account(), error) else str(error), "problem")
    return _back(f"It works: {account.name or 'your calendar'} has answered.", "done")


def unlink() -> ResponseReturnValue:
    """Give the access up."""
    told = _google().unlink()
    return _back(told, "problem" if PERMISSIONS_PAGE in told else "done")


def _page(problem: str = "") -> str:
    google = _google()
    client, wrong_client = _client(google)
    redirect_uri = _redirect_uri()
    if client is not None:
        # A browser applies this rule to redirects as well, and where Google sends on to (the login of an
        # employer, say) is for Google to know. No stranger's words are on this page.
        g.form_goes_to = _origin(client.auth_uri) if client.auth_uri.startswith("http://") else "https:"
    held = parts().store.read(preferences.load)
    return render_template(
        "calendar_link.html",
        problem=problem,
        account=google.account(),
        here=_here,
        client=client,
        wrong_client=wrong_client,
        redirect_uri=redirect_uri,
        cautions=list(_cautions(client, redirect_uri)),
        elsewhere=_elsewhere(),
        scopes=SCOPES,
        permissions_page=PERMISSIONS_PAGE,
        file=parts().settings.google_client_secrets,
        now=datetime.now(UTC),
        show=Words(held.timezone, held.language, datetime.now(UTC)),
    )


def _says(account: Account | None, error: AssistantError) -> bool:
    """Whether the page says this by itself."""
    return account is not None and str(error) in (account.broken_why, account.trouble)


def _here(text: str) -> str:
    """What was written for other places too: this page is where to link again."""
    return without(text, LINK_AGAIN)


def _back(text: str, category: str) -> ResponseReturnValue:
    """To the page, which says how it went: its address has no code in it, and can be reloaded."""
    if text:
        flash(_here(text), category)
    return redirect(url_for("calendar_link"), 303)


def _google() -> Google:
    return parts().google


def _redirect_uri() -> str:
    return parts().settings.url("/calendar/oauth/callback")


def _client(google: Google) -> tuple[ClientSecret | None, str]:
    """The kept client secret, and what is wrong with it."""
    try:
        return google.client(), ""
    except AssistantError as error:
        return None, str(error)


def _elsewhere() -> str:
    """Where the page must be opened to link: Google comes back to one address, where the cookie has to be.

    Only a guess: through a proxy, the Host that arrives may not be the one in the browser's bar.
    """
    ours = parts().settings.url("")
    if "X-Forwarded-For" in request.headers or request.host == urlsplit(ours).netloc:
        return ""
    return ours + url_for("calendar_link")


def _cautions(client: ClientSecret | None, redirect_uri: str) -> Iterator[str]:
    """What Google will refuse, told before it does."""
    if refusal := _refusal(redirect_uri):
        yield refusal
    if client is None:
        return
    host = urlsplit(redirect_uri).hostname or ""
    if client.kind == "installed" and not is_loopback(host):
        yield (
            "The client secret is a desktop client's, which Google lets come back to the same machine only."
            " Make a client of the type Web application."
        )
    elif client.kind == "web" and redirect_uri not in client.redirect_uris:
        yield (
            "When the client secret was downloaded, its client did not have this page's redirect URI."
            " If you have not added it since, Google will refuse (redirect_uri_mismatch)."
        )


def _refusal(redirect_uri: str) -> str:
    """Why Google takes no such address; "" when it does."""
    split = urlsplit(redirect_uri)
    host = split.hostname or ""
    if is_loopback(host):
        return ""
    why = ""
    if split.scheme != "https":
        why = "it is not https"
    elif _is_address(host):
        why = "it is a number and not a name"
    elif "." not in host or host.endswith(NAMES_OF_THIS_HOUSE):
        why = "nobody outside your house knows its name"
    return why and f"Google will not come back to {split.scheme}://{split.netloc}: {why}. Set PUBLIC_URL."


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _origin(url: str) -> str:
    split = urlsplit(url)
    return f"{split.scheme}://{split.netloc}"
