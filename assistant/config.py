"""The wiring: settings from the environment and `.env`, read once, checked whole.

What a setting means is in the README; what an owner changes from day to day (preferences) is in the
database. Here are addresses, numbers and keys, and the rules between them:

- the environment wins over `.env`; an empty value is a value that was not given,
- without `OPENAI_API_KEY` the program is the sandbox, which listens on this machine only,
- the telephone's settings (`PUBLIC_URL`, `OWNER_PHONE`, `TWILIO_*`) come together or not at all.

Whoever mistypes three things is told of three things: every problem is one line, and no line shows a
value, because a key may have been pasted into the wrong place.
"""

from __future__ import annotations

import difflib
import ipaddress
import logging
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

import phonenumbers
from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from assistant.errors import ConfigError

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parent.parent

PHONE_SETTINGS = ("PUBLIC_URL", "OWNER_PHONE", "TWILIO_NUMBER", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN")
SANDBOX_TWILIO_NUMBER = "+12025550100"
SANDBOX_OWNER_PHONE = "+12025550101"


def is_loopback(host: str) -> bool:
    """Whether `host` (a name or an address, IPv6 with or without brackets) can only be this machine."""
    name = host.strip("[]").lower().rstrip(".")
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def _host(text: str) -> str:
    name = text.strip("[]")
    if not re.fullmatch(r"[A-Za-z0-9.-]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%\w+)?", name):
        raise ValueError("is not a host name or an address")
    return name


def _url(text: str) -> str:
    """A base address without a trailing slash; ws and wss are other ways to write http and https."""
    text = re.sub(r"^ws(?=s?://)", "http", text.rstrip("/"))
    parts = _split(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address that begins with https://")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("must begin with https:// (http is for this machine only)")
    if parts.query or parts.fragment or parts.username is not None:
        raise ValueError("must be a plain address, with no user, ? or # in it")
    return text


def _public_url(text: str) -> str:
    if text.endswith("/"):
        raise ValueError("must not end with a slash")
    text = _url(text)
    parts = _split(text)
    # The app serves at the root of its host, and what Twilio signs is this address + the path.
    if parts.path:
        raise ValueError("must be a host alone, with no path after it")
    # Twilio takes no address whose host has an underscore, and signs the ASCII form.
    if not re.fullmatch(r"[A-Za-z0-9.:-]+", parts.hostname or ""):
        raise ValueError("has a host name with characters other than letters, digits, dots and hyphens")
    return text


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - reading it is what checks it
    except ValueError:
        raise ValueError("is not an address") from None
    if re.search(r"[\s\\]", text):
        raise ValueError("has a blank or a backslash in it")
    return parts


def _phone(text: str) -> str:
    """E.164; blanks, hyphens and brackets as people write them are taken out."""
    wrong = ValueError("must be a phone number with + and country code, like +12025550100")
    if not re.fullmatch(r"\+[0-9 ().-]+", text):
        raise wrong
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        raise wrong from None
    if not phonenumbers.is_possible_number(number):
        raise wrong
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _account_sid(text: str) -> str:
    if text.startswith("SK"):
        raise ValueError("is an API key's SID; the account's own begins with AC")
    if not re.fullmatch(r"AC[0-9a-fA-F]{32}", text):
        raise ValueError("must be AC and 32 hexadecimal digits")
    return text


def _name(text: str) -> str:
    if not re.fullmatch(r"[!-~]*", text):
        raise ValueError("has a blank or a strange character in it")
    return text


def _credential(secret: SecretStr) -> SecretStr:
    _name(secret.get_secret_value())  # keys travel in headers
    return secret


def _secret_key(secret: SecretStr) -> SecretStr:
    if 0 < len(secret) < 32:
        raise ValueError("must be 32 characters or more")
    return secret


def _path(path: Path) -> Path:
    return ROOT / path.expanduser()


Url = Annotated[str, AfterValidator(_url)]
PhoneNumber = Annotated[str, AfterValidator(_phone)]
Credential = Annotated[SecretStr, AfterValidator(_credential)]
ModelName = Annotated[str, AfterValidator(_name)]
PathFromRoot = Annotated[Path, AfterValidator(_path)]


class Settings(BaseSettings):
    """All settings, checked. Their names in the environment are these in capitals.

    A text that was not given is "". `description` says where to get the value; it ends the line
    that reports a problem.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", case_sensitive=True, validate_default=False
    )

    host: Annotated[str, AfterValidator(_host)] = Field(
        "127.0.0.1", description="Leave it out for this machine alone."
    )
    port: int = Field(5000, ge=0, le=65535, description="Any free port, like 5000.")
    public_url: Annotated[str, AfterValidator(_public_url)] = Field(
        "", description='The https address of your tunnel or server: "A public address" in the README.'
    )
    instance_path: PathFromRoot = Field(ROOT / "instance", description="A folder of your own.")
    secret_key: Annotated[SecretStr, AfterValidator(_secret_key)] = Field(
        SecretStr(""), description="Leave it out, and it is made and kept for you."
    )
    owner_phone: PhoneNumber = Field("", description="The number of your own phone.")
    twilio_number: PhoneNumber = Field(
        "", description="Get it at console.twilio.com, Phone Numbers, Active numbers."
    )
    twilio_account_sid: Annotated[str, AfterValidator(_account_sid)] = Field(
        "", description="Get it at console.twilio.com, Account Info on the start page."
    )
    twilio_auth_token: Credential = Field(
        SecretStr(""), description="Get it at console.twilio.com, Account Info on the start page."
    )
    twilio_api_url: Url = Field("https://api.twilio.com", description="Leave it out for Twilio itself.")
    openai_api_key: Credential = Field(SecretStr(""), description="Get it at platform.openai.com, API keys.")
    openai_base_url: Url = Field("https://api.openai.com/v1", description="Leave it out for OpenAI itself.")
    realtime_model: ModelName = Field("gpt-realtime-2.1", description="The name of a Realtime model.")
    realtime_audio: Literal["pcmu", "pcm"] = Field(
        "pcmu", description="pcmu, unless your model's server takes PCM alone."
    )
    transcription_model: ModelName = Field(
        "gpt-transcribe", description="The name of a transcription model, or empty for none."
    )
    google_client_secrets: PathFromRoot = Field(
        default_factory=lambda given: given["instance_path"] / "client_secret.json",
        description="The file that Google's console gives you for an OAuth client.",
    )
    google_calendar_url: Url = Field(
        "https://www.googleapis.com/calendar/v3", description="Leave it out for Google itself."
    )
    drain_seconds: int = Field(600, ge=0, description="How long a stop may wait for running calls.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is handed in: `load_settings` has merged the environment and the file by then."""
        return (init_settings,)

    @property
    def sandbox(self) -> bool:
        """No key for the model's side: a scripted model stands in for it."""
        return not self.openai_api_key

    @property
    def has_phone(self) -> bool:
        """Whether there is a telephone number to answer."""
        return bool(self.twilio_account_sid)

    @property
    def database(self) -> Path:
        return self.instance_path / "afterbeep.db"

    @property
    def local_url(self) -> str:
        """Where this machine reaches the program, whatever the world calls it."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - read, not bound
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def stream_url(self) -> str:
        """The media socket's address, as the telephone company is told it."""
        return re.sub("^http", "ws", self.url("/voice/stream"))

    def url(self, path: str) -> str:
        """The absolute address of `path` ("/voice/status"), as the world sees it."""
        return (self.public_url or self.local_url) + path


def load_settings(environ: Mapping[str, str] = os.environ, env_file: Path | None = ROOT / ".env") -> Settings:
    """Read and check all settings. Raises ConfigError with every problem, one line each."""
    given = _given(environ, env_file)
    problems = [*_missing(given), *_not_on_this_machine(given)]
    try:
        settings = Settings.model_validate({name.lower(): text for name, text in given.items()})
    except ValidationError as error:
        raise ConfigError([*_wrong(error), *problems]) from None
    if settings.owner_phone and settings.owner_phone == settings.twilio_number:
        problems.append(_line("OWNER_PHONE", "is the same number as TWILIO_NUMBER"))
    if problems:
        raise ConfigError(problems)
    return settings


def with_sandbox_phone(settings: Settings) -> Settings:
    """The sandbox's own telephone, made up afresh at each start, where the owner gave none.

    The checks on its calls are the real ones: whoever rings it has to know the token made here.
    """
    if settings.has_phone or not settings.sandbox:
        return settings
    made_up = {
        "public_url": settings.local_url,
        "owner_phone": SANDBOX_OWNER_PHONE,
        "twilio_number": SANDBOX_TWILIO_NUMBER,
        "twilio_account_sid": "AC" + secrets.token_hex(16),
        "twilio_auth_token": SecretStr(secrets.token_hex(16)),
    }
    return settings.model_copy(update=made_up)


def _given(environ: Mapping[str, str], env_file: Path | None) -> dict[str, str]:
    """Every setting of ours that has a value.

    Empty is not given, except where empty means "none". It wins over the file all the same:
    `OPENAI_API_KEY= make run` is the sandbox.
    """
    in_file = _read_env_file(env_file)
    for name, ours in _misspelt(in_file):
        log.warning("%s in %s is not a setting; did you mean %s?", name, env_file, ours)
    given = {}
    for name in map(str.upper, Settings.model_fields):
        text = (environ[name] if name in environ else in_file.get(name) or "").strip()
        named = name in environ or name in in_file
        if text or (named and name == "TRANSCRIPTION_MODEL"):
            given[name] = text
    return given


def _read_env_file(env_file: Path | None) -> Mapping[str, str | None]:
    try:
        # utf-8-sig: some editors put a mark at the start of the file, which would be part of the first name.
        return DotEnvSettingsSource(Settings, env_file=env_file, env_file_encoding="utf-8-sig").env_vars
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError([f"{env_file}: cannot be read: {reason}"]) from error


def _misspelt(in_file: Mapping[str, str | None]) -> Iterator[tuple[str, str]]:
    """Names in the file that look like settings which the file does not have."""
    absent = [name.upper() for name in Settings.model_fields if name.upper() not in in_file]
    for name in in_file:
        if name.lower() not in Settings.model_fields or name != name.upper():
            for ours in difflib.get_close_matches(name.upper(), absent, n=1, cutoff=0.8):
                yield name, ours


def _wrong(error: ValidationError) -> Iterator[str]:
    """One line for each value that does not fit its setting."""
    for problem in error.errors(include_url=False, include_input=False):
        if problem["type"] == "default_factory_not_called":  # only because another setting is wrong
            continue
        reason: Any = problem.get("ctx", {}).get("error") or problem["msg"].removeprefix("Input ")
        yield _line(str(problem["loc"][0]).upper(), str(reason))


def _missing(given: Mapping[str, str]) -> Iterator[str]:
    """The telephone's settings come together or not at all."""
    there = [name for name in PHONE_SETTINGS if name in given]
    if there:
        for name in PHONE_SETTINGS:
            if name not in given:
                yield _line(name, f"is missing, and goes together with {there[0]}")


def _not_on_this_machine(given: Mapping[str, str]) -> Iterator[str]:
    """The sandbox is for trying out: nobody else should be able to ring it."""
    if "OPENAI_API_KEY" not in given and not is_loopback(given.get("HOST", "127.0.0.1")):
        yield _line(
            "HOST", "must be 127.0.0.1 as long as there is no OPENAI_API_KEY: the sandbox is for this machine"
        )


def _line(name: str, reason: str) -> str:
    return f"{name}: {reason}. {Settings.model_fields[name.lower()].description}"
