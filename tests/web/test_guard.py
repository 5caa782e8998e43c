"""Who gets in, by which name, with which cookie; and what every answer says about itself."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest
from flask import request

from assistant.config import load_settings
from assistant.errors import ConfigError
from assistant.web.guard import client_address, is_local_path, secret_key
from assistant.web.login import login_links
from tests.web.pages import PUBLIC, Pages


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    return Pages(tmp_path)


@pytest.fixture
def public_pages(tmp_path: Path) -> Pages:
    return Pages(tmp_path, **PUBLIC)


@pytest.mark.parametrize(
    "path", ["/", "/calls/CA1", "/nothing-here", "/calls/..%2f..%2fetc/passwd", "/logout"]
)
def test_a_page_sends_a_stranger_to_the_login(pages: Pages, path: str):
    answer = pages.browser().get(path)

    assert answer.status_code == 302
    assert answer.location.startswith("/login?next=")


def test_a_route_nobody_thought_of_is_closed(pages: Pages):
    pages.app.add_url_rule("/new", "new", lambda: "secrets", methods=["GET", "POST"])

    assert pages.browser().get("/new").status_code == 302
    assert pages.browser().post("/new").status_code == 401
    assert pages.owner().get("/new").text == "secrets"


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/calls/CA1/audio.wav", {}, 401),
        ("/calls/CA1/live", {"Accept": "text/event-stream"}, 401),
        ("/", {"Sec-Fetch-Dest": "audio"}, 401),
        ("/phone/stream", {"Upgrade": "websocket", "Connection": "Upgrade"}, 403),
    ],
)
def test_what_is_no_page_is_refused(pages: Pages, path: str, headers: dict[str, str], status: int):
    assert pages.browser().get(path, headers=headers).status_code == status


def test_strangers_reach_health_login_and_styles(pages: Pages):
    stranger = pages.browser()

    assert stranger.get("/healthz").text == "ok"
    assert stranger.get("/login").status_code == 200
    assert stranger.get("/static/style.css").status_code == 200


def test_webhooks_pass_without_login_or_token(pages: Pages):
    """They bring a signature of their own."""
    pages.app.view_functions["voice_incoming"] = lambda: "<Response/>"

    assert pages.browser().post("/voice/incoming", headers={"Host": "localhost:5000"}).text == "<Response/>"


def test_a_form_without_its_token_is_refused(pages: Pages):
    owner = pages.owner()

    refused = owner.post("/logout")

    assert refused.status_code == 400
    assert "form was too old" in refused.text
    assert owner.get("/").status_code == 200


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:1234", "[::1]:5000", "phone.example", "PHONE.example:443"]
)
def test_hosts_that_are_ours(public_pages: Pages, host: str):
    assert public_pages.browser().get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "phone.example.evil.example", "phone.example@evil.example", "",
     "evil.example/phone.example", "phone.example,evil.example", "192.168.1.2", "127.0.0.1:port"],
)  # fmt: skip
def test_hosts_that_are_not(public_pages: Pages, host: str):
    for path in ("/healthz", "/login", "/", "/voice/incoming"):
        assert public_pages.browser().get(path, headers={"Host": host}).status_code == 400


def test_a_forwarded_host_is_never_believed(public_pages: Pages):
    headers = {"Host": "phone.example", "X-Forwarded-Host": "evil.example"}

    answer = public_pages.browser().get("/", headers=headers)

    assert answer.status_code == 302
    assert "evil" not in str(answer.headers)


def test_localhost_goes_to_the_proper_address(pages: Pages, public_pages: Pages):
    def of(some: Pages, path: str) -> str | None:
        return some.browser().get(path, headers={"Host": "localhost:5000"}).location

    assert of(pages, "/?page=2") == "http://127.0.0.1:5000/?page=2"
    assert of(public_pages, "/login") == "https://phone.example/login"
    assert of(public_pages, "/healthz") is None
    assert public_pages.browser().get("/healthz", headers={"Host": "localhost:5000"}).text == "ok"


def test_a_webhook_with_the_wrong_method_is_not_sent_to_a_page(public_pages: Pages):
    """Twilio would follow, and read the login page as a document."""
    for host in ("phone.example", "localhost:5000"):
        assert public_pages.browser().get("/voice/incoming", headers={"Host": host}).status_code == 401


def test_localhost_behind_a_proxy_does_not_go_in_circles(public_pages: Pages):
    headers = {"Host": "localhost:5000", "X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}

    assert public_pages.browser().get("/login", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "address"),
    [
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
        ("::1", "2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("::1", "[2001:db8:1:2:3::4]:4711", "2001:db8:1:2::/64"),
        ("127.0.0.1", "nonsense", "127.0.0.1"),
        ("198.51.100.7", "203.0.113.9", "198.51.100.7"),
    ],
)
def test_the_last_hop_is_believed_from_this_machine_only(
    pages: Pages, peer: str, forwarded_for: str, address: str
):
    pages.app.view_functions["healthz"] = client_address

    answer = pages.browser().get(
        "/healthz", environ_base={"REMOTE_ADDR": peer}, headers={"X-Forwarded-For": forwarded_for}
    )

    assert answer.text == address


def login_cookie(pages: Pages, **headers: str) -> str:
    """The cookie a login is answered with."""
    link = "/login/" + login_links(pages.app).issue()
    return pages.browser().get(link, headers=headers).headers["Set-Cookie"]


def test_over_https_the_cookie_is_bound_to_the_host(public_pages: Pages):
    cookie = login_cookie(public_pages, **{"Host": "phone.example", "X-Forwarded-Proto": "https"})

    assert cookie.startswith("__Host-session=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


def test_over_http_the_cookie_is_plain(public_pages: Pages, pages: Pages):
    for some in (public_pages, pages):
        cookie = login_cookie(some)

        assert cookie.startswith("session=")
        assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
        assert "Secure" not in cookie


@pytest.mark.parametrize(("peer", "scheme"), [("127.0.0.1", "https"), ("198.51.100.7", "http")])
def test_the_scheme_is_believed_from_this_machine_only(public_pages: Pages, peer: str, scheme: str):
    public_pages.app.view_functions["healthz"] = lambda: request.scheme

    headers = {"Host": "phone.example", "X-Forwarded-Proto": "https"}
    answer = public_pages.browser().get("/healthz", headers=headers, environ_base={"REMOTE_ADDR": peer})

    assert answer.text == scheme


@pytest.mark.parametrize(
    "path", ["/", "/login", "/healthz", "/calls/none", "/static/none.css", "/static/style.css"]
)
def test_every_answer_carries_the_headers(pages: Pages, path: str):
    for someone in (pages.browser(), pages.owner()):
        headers = someone.get(path).headers

        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "Referrer-Policy" in headers
        assert "Permissions-Policy" in headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert ("no-store" in headers["Cache-Control"]) == (path != "/static/style.css")


def test_each_answer_has_a_nonce_of_its_own(pages: Pages):
    first, second = (pages.browser().get("/login").headers["Content-Security-Policy"] for _ in range(2))

    assert first != second


@pytest.mark.parametrize("path", ["/", "/calls/CA1?x=1#y", "/a//b", "/?next=//evil.example"])
def test_paths_of_this_site(path: str):
    assert is_local_path(path)


@pytest.mark.parametrize(
    "path",
    ["", "calls", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example",
     "https:evil.example", "https://evil.example", "/\t/evil.example", "/\n/evil.example", " //evil.example",
     "javascript:alert(1)", "//[::1", "/\x00"],
)  # fmt: skip
def test_paths_that_lead_away(path: str):
    assert not is_local_path(path)


def test_the_secret_key_is_made_once_and_for_its_owner_alone(tmp_path: Path):
    settings = load_settings({"INSTANCE_PATH": str(tmp_path / "instance")}, None)
    keys: list[str] = []
    threads = [threading.Thread(target=lambda: keys.append(secret_key(settings))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len(keys) == 8
    assert len(set(keys)) == 1
    (file,) = (tmp_path / "instance").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_given_secret_key_is_used_and_a_damaged_one_reported(tmp_path: Path):
    given = load_settings({"INSTANCE_PATH": str(tmp_path), "SECRET_KEY": "k" * 40}, None)
    kept = load_settings({"INSTANCE_PATH": str(tmp_path)}, None)

    assert secret_key(given) == "k" * 40
    (tmp_path / "secret_key").write_text("short")
    with pytest.raises(ConfigError, match="SECRET_KEY"):
        secret_key(kept)
