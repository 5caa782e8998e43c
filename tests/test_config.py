"""Settings: where they come from, what is refused, and that no line shows a value."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.config import ROOT, Settings, is_loopback, load_settings, with_sandbox_phone
from assistant.errors import ConfigError

PHONE = {
    "PUBLIC_URL": "https://phone.example.org",
    "OWNER_PHONE": "+12025550101",
    "TWILIO_NUMBER": "+12025550100",
    "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "TWILIO_AUTH_TOKEN": "a-token",
}


def load(**environ: str) -> Settings:
    return load_settings(environ, None)


def problems(**environ: str) -> list[str]:
    """What is said about these settings, one line each."""
    with pytest.raises(ConfigError) as caught:
        load(**environ)
    assert all("\n" not in line for line in caught.value.problems)
    return caught.value.problems


def test_nothing_given_is_the_sandbox_with_the_contracts_defaults():
    settings = load()

    assert settings.sandbox
    assert not settings.has_phone
    assert (settings.host, settings.port, settings.drain_seconds) == ("127.0.0.1", 5000, 600)
    assert settings.instance_path == ROOT / "instance"
    assert settings.database == ROOT / "instance" / "afterbeep.db"
    assert settings.google_client_secrets == ROOT / "instance" / "client_secret.json"
    assert (settings.realtime_model, settings.realtime_audio) == ("gpt-realtime-2.1", "pcmu")
    assert settings.transcription_model == "gpt-transcribe"


def test_with_all_keys_it_is_the_real_thing():
    settings = load(**PHONE, OPENAI_API_KEY="sk-1")

    assert not settings.sandbox
    assert settings.has_phone
    assert settings.stream_url == "wss://phone.example.org/voice/stream"
    assert settings.url("/voice/status") == "https://phone.example.org/voice/status"


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path):
    env_file = tmp_path / ".env"
    env_file.write_text("PORT=6000\nDRAIN_SECONDS=5\n")

    settings = load_settings({"PORT": "7000"}, env_file)

    assert (settings.port, settings.drain_seconds, settings.host) == (7000, 5, "127.0.0.1")


def test_an_empty_value_is_not_given_and_switches_off_the_files(tmp_path: Path):
    env_file = tmp_path / ".env"
    env_file.write_text("OPENAI_API_KEY=sk-1\nPORT=\nTWILIO_NUMBER=\n")

    assert load_settings({}, env_file).port == 5000
    assert not load_settings({}, env_file).sandbox
    assert load_settings({"OPENAI_API_KEY": ""}, env_file).sandbox


def test_an_empty_transcription_model_means_none():
    assert load(TRANSCRIPTION_MODEL="").transcription_model == ""


def test_blanks_around_a_value_are_taken_off():
    assert load(OPENAI_API_KEY="sk-1\n").openai_api_key.get_secret_value() == "sk-1"


def test_a_file_with_a_mark_at_its_start_is_read(tmp_path: Path):
    env_file = tmp_path / ".env"
    env_file.write_bytes(b"\xef\xbb\xbfPORT=6000\r\n")

    assert load_settings({}, env_file).port == 6000


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path):
    env_file = tmp_path / ".env"
    env_file.write_bytes(b"PORT=\xff\xfe\n")

    with pytest.raises(ConfigError, match="cannot be read: it is not UTF-8 text"):
        load_settings({}, env_file)


def test_a_misspelt_name_in_the_file_is_worth_a_line(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    env_file = tmp_path / ".env"
    env_file.write_text("OPENAI_KEY=sk-secret\nport=6000\nHOST=127.0.0.1\nHOSTS=x\nEDITOR=vi\n")

    settings = load_settings({}, env_file)

    said = [record.getMessage() for record in caplog.records]
    assert settings.sandbox
    assert said == [
        f"OPENAI_KEY in {env_file} is not a setting; did you mean OPENAI_API_KEY?",
        f"port in {env_file} is not a setting; did you mean PORT?",
    ]


def test_every_problem_is_told_at_once_with_its_name_and_where_to_get_the_value():
    said = problems(
        PORT="99999",
        HOST="0.0.0.0",
        OWNER_PHONE="0123",
        REALTIME_AUDIO="mp3",
        DRAIN_SECONDS="-1",
        TWILIO_API_URL="http://api.example.org",
    )

    names = [line.split(":")[0] for line in said]
    assert sorted(names) == [
        "DRAIN_SECONDS",
        "HOST",
        "OWNER_PHONE",
        "PORT",
        "PUBLIC_URL",
        "REALTIME_AUDIO",
        "TWILIO_ACCOUNT_SID",
        "TWILIO_API_URL",
        "TWILIO_AUTH_TOKEN",
        "TWILIO_NUMBER",
    ]
    assert (
        "TWILIO_AUTH_TOKEN: is missing, and goes together with OWNER_PHONE. "
        "Get it at console.twilio.com, Account Info on the start page."
    ) in said


def test_no_line_and_no_repr_shows_a_value():
    said = problems(
        **PHONE | {"PUBLIC_URL": "sk-canary", "TWILIO_AUTH_TOKEN": "two canaries", "TWILIO_NUMBER": "canary"},
        PORT="canary",
        SECRET_KEY="canary",
        OPENAI_API_KEY="a canary",
        OPENAI_BASE_URL="http://canary.example.org",
        REALTIME_MODEL="ca nary",
        REALTIME_AUDIO="canary",
    )
    settings = load(
        **PHONE | {"TWILIO_AUTH_TOKEN": "canary"}, OPENAI_API_KEY="canary", SECRET_KEY="canary" * 8
    )

    assert len(said) == 9
    assert "canar" not in "\n".join(said)
    assert "canary" not in f"{settings!r} {settings}"


@pytest.mark.parametrize("missing", PHONE)
def test_the_telephones_settings_come_together_or_not_at_all(missing: str):
    (line,) = problems(**{name: text for name, text in PHONE.items() if name != missing})

    assert line.startswith(f"{missing}: is missing")


def test_the_address_of_twilios_api_may_come_alone():
    assert load(TWILIO_API_URL="http://127.0.0.1:9/").twilio_api_url == "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("https://phone.example.org/", "must not end with a slash"),
        ("https://phone.example.org/afterbeep", "must be a host alone"),
        ("http://phone.example.org", "must begin with https://"),
        ("ws://phone.example.org", "must begin with https://"),
        ("phone.example.org", "must be an address that begins with https://"),
        ("ftp://phone.example.org", "must be an address that begins with https://"),
        ("https://", "must not end with a slash"),
        ("https://my_phone.example.org", "characters other than"),
        ("https://ünïcode.example.org", "characters other than"),
        ("https://owner:secret@phone.example.org", "must be a plain address"),
        ("https://phone.example.org?x=1", "must be a plain address"),
        ("https://phone.example.org#x", "must be a plain address"),
        ("https://phone.example.org:99999", "is not an address"),
        ("https://[::1", "is not an address"),
        ("https://phone.example.org\\evil", "a blank or a backslash"),
        ("http://localhost.example.org", "must begin with https://"),
        ("http://127.0.0.1.example.org", "must begin with https://"),
    ],
)
def test_a_public_address_that_twilio_could_not_use_is_refused(address: str, reason: str):
    (line,) = problems(**PHONE | {"PUBLIC_URL": address})

    assert line.startswith("PUBLIC_URL: ")
    assert reason in line


@pytest.mark.parametrize("name", ["OPENAI_BASE_URL", "TWILIO_API_URL", "GOOGLE_CALENDAR_URL"])
def test_http_and_ws_are_for_this_machine_only(name: str):
    assert getattr(load(**{name: "http://localhost:8080/v1"}), name.lower()) == "http://localhost:8080/v1"
    assert getattr(load(**{name: "ws://[::1]:8080/v1/"}), name.lower()) == "http://[::1]:8080/v1"
    assert problems(**{name: "ws://10.0.0.7:8080/v1"})[0].startswith(f"{name}: must begin with https://")


def test_a_loopback_address_may_stand_for_the_public_one():
    settings = load(**PHONE | {"PUBLIC_URL": "http://[::1]:5000"})

    assert settings.stream_url == "ws://[::1]:5000/voice/stream"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("LOCALHOST.", True),
        ("a.localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.7", False),
        ("localhost.example.org", False),
        ("", False),
    ],
)
def test_which_hosts_are_this_machine(host: str, expected: bool):
    assert is_loopback(host) is expected


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "my-machine"])
def test_the_sandbox_listens_on_this_machine_only(host: str):
    (line,) = problems(HOST=host)

    assert line.startswith("HOST: must be 127.0.0.1 as long as there is no OPENAI_API_KEY")
    assert load(HOST=host, OPENAI_API_KEY="sk-1").host == host


@pytest.mark.parametrize("written", ["+12025550101", "+1 (202) 555-0101", "+1.202.555.0101"])
def test_phone_numbers_are_kept_as_e164(written: str):
    assert load(**PHONE | {"OWNER_PHONE": written}).owner_phone == "+12025550101"


@pytest.mark.parametrize(
    "written", ["2025550101", "+1202555", "+999", "+1800FLOWERS", "tel:+12025550101", "+"]
)
def test_what_is_not_a_phone_number_is_refused(written: str):
    (line,) = problems(**PHONE | {"OWNER_PHONE": written})

    assert line.startswith("OWNER_PHONE: must be a phone number with + and country code")


def test_the_owners_phone_cannot_be_the_assistants():
    (line,) = problems(**PHONE | {"OWNER_PHONE": PHONE["TWILIO_NUMBER"]})

    assert line.startswith("OWNER_PHONE: is the same number as TWILIO_NUMBER")


@pytest.mark.parametrize(
    ("sid", "reason"),
    [("SK" + "0" * 32, "is an API key's SID"), ("AC123", "must be AC and 32 hexadecimal digits")],
)
def test_the_account_is_named_by_its_own_sid(sid: str, reason: str):
    (line,) = problems(**PHONE | {"TWILIO_ACCOUNT_SID": sid})

    assert reason in line


def test_a_folder_of_ones_own_takes_the_database_and_googles_file_with_it(tmp_path: Path):
    settings = load(INSTANCE_PATH=str(tmp_path))

    assert settings.database == tmp_path / "afterbeep.db"
    assert settings.google_client_secrets == tmp_path / "client_secret.json"
    assert load(INSTANCE_PATH="elsewhere").instance_path == ROOT / "elsewhere"


def test_the_sandbox_makes_up_its_own_telephone():
    plain = load(HOST="[::1]", PORT="6000")

    first, second = with_sandbox_phone(plain), with_sandbox_phone(plain)

    assert first.has_phone
    assert first.url("/voice/incoming") == "http://[::1]:6000/voice/incoming"
    assert first.stream_url == "ws://[::1]:6000/voice/stream"
    assert (first.twilio_number, first.owner_phone) == ("+12025550100", "+12025550101")
    assert first.twilio_auth_token != second.twilio_auth_token
    assert load_settings(
        {
            "TWILIO_ACCOUNT_SID": first.twilio_account_sid,
            "TWILIO_AUTH_TOKEN": first.twilio_auth_token.get_secret_value(),
            **{name: getattr(first, name.lower()) for name in ("PUBLIC_URL", "TWILIO_NUMBER", "OWNER_PHONE")},
        },
        None,
    ).has_phone


def test_a_telephone_that_was_given_is_left_alone():
    with_numbers = load(**PHONE)
    with_key_alone = load(OPENAI_API_KEY="sk-1")

    assert with_sandbox_phone(with_numbers) is with_numbers
    assert with_sandbox_phone(with_key_alone) is with_key_alone
    assert with_key_alone.url("/login") == "http://127.0.0.1:5000/login"


def test_a_server_for_all_addresses_is_reached_here_by_loopback():
    assert load(HOST="0.0.0.0", OPENAI_API_KEY="sk-1").local_url == "http://127.0.0.1:5000"
    assert load(HOST="::", OPENAI_API_KEY="sk-1").local_url == "http://[::1]:5000"


def test_two_problems_of_one_value_are_told_as_one():
    assert len(problems(PORT="none")) == 1
