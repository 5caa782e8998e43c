"""The public address, asked for by the way Twilio comes: over real sockets, past what may stand between."""

from __future__ import annotations

import base64
import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import SecretStr

from assistant.doctor import Patient, address, asking
from assistant.store import program
from tests.doctor.clinic import PHONE, found, patient, running, runs, states
from tests.telephony.far_end import Answer, Asked, web_server


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Patient]:
    with running(tmp_path) as of:
        yield of


def moved(of: Patient, url: str) -> Patient:
    """The same, with another PUBLIC_URL."""
    settings = of.settings.model_copy(update={"public_url": url})
    return Patient(settings, of.store, of.google, env_file=of.env_file)


def test_an_address_that_leads_here_is_green_all_the_way(house: Patient):
    assert states(house, "Public address") == {
        "Public address": "green",
        "WebSockets": "green",
        "Twilio's signature": "green",
    }


def test_nothing_is_left_behind_and_no_call_is_made_up(house: Patient):
    found(house, "Public address")

    assert house.store.read(program.newest_call) is None
    left = house.store.read(lambda db: [row[0] for row in db.execute("SELECT name FROM house").fetchall()])
    assert [name for name in left if name.startswith("nonce")] == []


def test_the_address_is_there_only_while_the_doctor_waits_for_it(house: Patient):
    nonce = "n" * 43
    url = house.settings.url(address.PATH + nonce)

    before = asking.ask(url)
    house.store.write(program.expect_nonce, nonce, house.now())
    while_waiting = asking.ask(url)
    house.store.write(program.expect_nonce, nonce, house.now() - timedelta(minutes=2))
    later = asking.ask(url)

    assert [answer.status for answer in (before, while_waiting, later)] == [404, 200, 404]
    assert while_waiting.body.decode() == address.proof(nonce)
    assert nonce.encode() not in while_waiting.body
    with pytest.raises(asking.NoAnswer, match="404"):
        asking.echo(url, b"hello")


@pytest.mark.parametrize("nonce", ["x", "n" * 44, "%2e%2e", "n" * 42 + "%20"])
def test_what_is_no_nonce_is_not_looked_up(house: Patient, nonce: str):
    assert asking.ask(house.settings.url(address.PATH + nonce)).status == 404


def test_another_program_at_the_address_is_red_even_if_it_says_yes_to_everything(house: Patient):
    def yes(asked: Asked) -> Answer:
        return 200, {}, b"ok"

    with web_server(yes) as url:
        checks = found(moved(house, url), "Public address")

    assert list(checks) == ["Public address"]
    assert checks["Public address"].state == "red"
    assert "Something else answers there (200)." in checks["Public address"].cause
    assert house.settings.local_url in checks["Public address"].action


@pytest.mark.parametrize(
    ("status", "cause"), [(502, "does not reach this program (502)"), (403, "refuses visitors (403)")]
)
def test_a_tunnel_that_leads_nowhere_or_asks_for_a_login_is_told(house: Patient, status: int, cause: str):
    with web_server(lambda _: (status, {}, b"")) as url:
        check = found(moved(house, url), "Public address")["Public address"]

    assert check.state == "red"
    assert cause in check.cause


def test_redirects_are_told_and_never_followed(house: Patient):
    asked: list[str] = []

    def away(one: Asked) -> Answer:
        asked.append(one.path)
        return 301, {"Location": "https://www.phone.example/elsewhere"}, b""

    def round_and_round(one: Asked) -> Answer:
        return 302, {"Location": one.path}, b""

    with web_server(away) as url:
        gone = found(moved(house, url), "Public address")["Public address"]
    with web_server(round_and_round) as url:
        circle = found(moved(house, url), "Public address")["Public address"]

    assert (gone.state, circle.state) == ("red", "red")
    assert gone.found.endswith("redirects to https://www.phone.example.")
    assert circle.found.endswith("redirects to itself, in a circle.")
    assert len(asked) == 1


def test_an_address_where_nobody_listens_is_red(house: Patient):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]

    check = found(moved(house, f"http://127.0.0.1:{port}"), "Public address")["Public address"]

    assert (check.state, check.cause) == ("red", "Asked for it: connection refused.")


def test_an_address_that_is_silent_is_given_up_in_time(house: Patient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(asking, "ASK_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"

        check = found(moved(house, url), "Public address")["Public address"]

    assert check.state == "red"
    assert "no answer within" in check.cause


# --- what passes HTTP, and not more ----------------------------------------------------


@contextmanager
def proxy(of: Patient, change: Callable[[bytes], bytes]) -> Iterator[str]:
    """A proxy in front of the program that changes what comes in. One request a connection."""
    _, port = of.settings.public_url.rsplit(":", 1)
    stop = threading.Event()

    def serve(listener: socket.socket) -> None:
        while not stop.is_set():
            try:
                near, _ = listener.accept()
            except OSError:
                return
            with near, socket.create_connection(("127.0.0.1", int(port)), 5) as far:
                near.settimeout(5)
                far.settimeout(5)
                far.sendall(change(near.recv(65536)))
                _carry(far, near)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stop.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def _carry(far: socket.socket, near: socket.socket) -> None:
    """The answer, to its end: the program closes the connection behind it."""
    while chunk := far.recv(65536):
        near.sendall(chunk)


def test_a_proxy_that_swallows_the_upgrade_is_red(house: Patient):
    def no_upgrade(request: bytes) -> bytes:
        plain = request.replace(b"Upgrade: websocket\r\n", b"").replace(b"Connection: Upgrade\r\n", b"")
        return plain.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)  # and no other on this connection

    with proxy(house, no_upgrade) as url:
        checks = found(moved(house, url), "Public address")

    assert {name: check.state for name, check in checks.items()} == {
        "Public address": "green",
        "WebSockets": "red",
        "Twilio's signature": "red",  # over another address than the one the program knows
    }
    assert "the handshake was answered with 200" in checks["WebSockets"].cause


def test_a_signature_that_does_not_fit_is_red(house: Patient):
    other = house.settings.model_copy(update={"twilio_auth_token": SecretStr("1" * 32)})
    check = found(Patient(other, house.store, house.google), "Public address")["Twilio's signature"]

    assert check.state == "red"
    assert check.found == "A signed request is refused: so Twilio's are."


def test_a_socket_that_opens_and_says_nothing_is_red(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(asking, "ASK_S", 0.3)

    def opens(listener: socket.socket) -> None:
        near, _ = listener.accept()
        with near:
            asked = near.recv(65536)
            key = asked.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
            accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
            near.sendall(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
            )
            while near.recv(65536):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=opens, args=(listener,))
        thread.start()
        with pytest.raises(asking.NoAnswer, match="nothing comes through it"):
            asking.echo(f"http://127.0.0.1:{listener.getsockname()[1]}/", b"hello")
        thread.join(10)


# --- when there is nothing to ask ------------------------------------------------------


def test_without_the_program_running_it_is_amber(tmp_path: Path):
    of = patient(tmp_path, **PHONE)
    never = found(of, "Public address")["Public address"]
    runs(of, at=of.now() - timedelta(minutes=3))
    long_ago = found(of, "Public address")["Public address"]

    assert never == long_ago
    assert (never.state, never.action) == ("amber", "Start it with `make run`, then look again.")


def test_the_sandbox_and_a_house_without_a_phone_need_none(tmp_path: Path):
    sandbox, keyed = patient(tmp_path), patient(tmp_path, OPENAI_API_KEY="sk-1")

    assert found(sandbox, "Public address")["Public address"].found == "Not needed in the sandbox."
    assert "PUBLIC_URL is not set" in found(keyed, "Public address")["Public address"].found


@pytest.mark.parametrize(("days", "state"), [(30, "green"), (3, "amber")])
def test_a_certificate_that_ends_soon_is_amber(tmp_path: Path, days: int, state: str):
    of = patient(tmp_path, **PHONE)
    answer = SimpleNamespace(certificate_ends_at=of.now() + timedelta(days=days))

    check = address._certificate(of, "https://phone.example", answer)  # type: ignore[arg-type]

    assert check.state == state
    assert of.clock(answer.certificate_ends_at) in check.found
