"""Preferences: what they are at first, what is refused, and how they are written."""

from __future__ import annotations

import pytest
from sqlite_utils import Database

from assistant.errors import PreferenceError
from assistant.store import Store, preferences
from assistant.store.preferences import NAMES, Preferences, checked


def test_a_new_owner_has_the_contract_s_defaults(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")

    assert store.read(preferences.all_preferences) == {
        "owner_name": "",
        "timezone": "Europe/Berlin",
        "language": "en",
        "greeting": "Hello, you've reached {owner_name}'s assistant. How can I help?",
        "persona": "Warm, brief and precise.",
        "voice": "marin",
        "ring_first": "off",
        "ring_seconds": "15",
        "working_hours": "mon-fri 09:00-17:00",
        "booking": "request",
        "event_minutes": "30",
        "buffer_minutes": "0",
        "notice_hours": "2",
        "horizon_days": "30",
        "max_call_seconds": "600",
        "max_concurrent_calls": "3",
        "calls_per_caller_per_day": "5",
        "daily_budget_usd": "5",
        "record_audio": "on",
        "disclosure": "This call is answered by an assistant and recorded.",
        "retention_days_text": "90",
        "retention_days_audio": "30",
        "notify_urls": "",
    }


def test_every_default_is_a_value_one_may_set() -> None:
    defaults = Preferences()

    for name in NAMES:
        text = preferences.shown(getattr(defaults, name))
        assert checked(name, text) == text
        assert Preferences.model_fields[name].description


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("owner_name", "  Sam ", "Sam"),
        ("timezone", "America/New_York", "America/New_York"),
        ("language", "PT-br", "pt-BR"),
        ("voice", "nova", "nova"),
        ("ring_first", "ON", "on"),
        ("ring_seconds", "60", "60"),
        ("working_hours", "Mon-Fri 9:00-17:00", "mon-fri 09:00-17:00"),
        ("booking", "confirmed", "confirmed"),
        ("max_call_seconds", "10", "10"),
        ("calls_per_caller_per_day", "0", "0"),
        ("daily_budget_usd", "0.5", "0.5"),
        ("daily_budget_usd", "0.0000001", "1e-07"),
        ("disclosure", "", ""),
        ("persona", "", ""),
        ("notify_urls", "ntfy://host/topic   mailtos://me@host", "ntfy://host/topic mailtos://me@host"),
    ],
)
def test_a_value_is_kept_in_its_normal_form(store: Store, name: str, value: str, kept: str) -> None:
    assert store.write(preferences.set, name, value) == kept
    assert store.read(preferences.get, name) == kept


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("colour", "blue"),
        ("", "on"),
        ("timezone", "Berlin"),
        ("timezone", "../etc/passwd"),
        ("timezone", "Europe"),
        ("timezone", ""),
        ("language", "english!"),
        ("greeting", ""),
        ("greeting", "Hello\nthere"),
        ("owner_name", "Sam\x07"),
        ("owner_name", "x" * 81),
        ("voice", "robot"),
        ("ring_first", "yes"),
        ("ring_first", "1"),
        ("ring_seconds", "4"),
        ("ring_seconds", "61"),
        ("ring_seconds", "ten"),
        ("ring_seconds", "10.5"),
        ("ring_seconds", ""),
        ("working_hours", ""),
        ("working_hours", "always"),
        ("booking", "maybe"),
        ("event_minutes", "4"),
        ("event_minutes", "241"),
        ("buffer_minutes", "121"),
        ("notice_hours", "169"),
        ("horizon_days", "0"),
        ("max_call_seconds", "3301"),
        ("max_concurrent_calls", "0"),
        ("calls_per_caller_per_day", "-1"),
        ("daily_budget_usd", "-0.01"),
        ("daily_budget_usd", "nan"),
        ("daily_budget_usd", "inf"),
        ("retention_days_text", "-1"),
        ("notify_urls", "ntfy.sh/topic"),
    ],
)
def test_a_wrong_name_or_value_changes_nothing(store: Store, name: str, value: str) -> None:
    before = store.read(preferences.all_preferences)

    with pytest.raises(PreferenceError) as caught:
        store.write(preferences.set, name, value)

    assert "\n" not in str(caught.value)
    assert store.read(preferences.all_preferences) == before


def test_the_opening_is_the_disclosure_and_then_the_greeting() -> None:
    assert Preferences(owner_name="Sam").opening == (
        "This call is answered by an assistant and recorded. "
        "Hello, you've reached Sam's assistant. How can I help?"
    )
    assert Preferences(disclosure="").opening == (
        "Hello, you've reached the owner's assistant. How can I help?"
    )
    assert Preferences(owner_name="Sam", greeting="{owner_name} is out.").spoken_greeting == "Sam is out."


def test_recording_without_telling_is_warned_of() -> None:
    assert Preferences().warning is None
    assert "many places" in (Preferences(disclosure="").warning or "")
    assert Preferences(disclosure="", record_audio=False).warning is None


def test_typed_values_are_ready_to_use(store: Store) -> None:
    store.write(preferences.set, "record_audio", "off")
    store.write(preferences.set, "daily_budget_usd", "2")

    loaded = store.read(preferences.load)

    assert (loaded.record_audio, loaded.daily_budget_usd, loaded.ring_seconds) == (False, 2.0, 15)
    assert loaded.open_hours.week[0].end == 17 * 60
    assert loaded.zone.key == loaded.timezone


def test_a_stored_value_that_is_no_longer_allowed_counts_as_not_set(store: Store) -> None:
    def store_anything(db: Database) -> None:
        for row in (("voice", "gone"), ("ring_seconds", "7"), ("colour", "blue")):
            db.execute("INSERT INTO preferences (name, value) VALUES (?, ?)", row)

    store.write(store_anything)

    assert store.read(preferences.load).voice == "marin"
    assert store.read(preferences.load).ring_seconds == 7


def test_choices_are_listed_for_the_settings_page() -> None:
    assert preferences.choices("booking") == ("request", "tentative", "confirmed")
    assert preferences.choices("ring_first") == ("on", "off")
    assert preferences.choices("owner_name") == ()


def test_the_machine_s_zone_is_a_zone_in_every_case(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("", "nonsense", ":Europe/Berlin", "/etc/localtime", "CET"):
        monkeypatch.setenv("TZ", name)
        assert checked("timezone", preferences.machine_timezone())


def test_several_are_set_together_or_not_at_all(store: Store) -> None:
    assert store.write(preferences.set_all, {"owner_name": "Kim", "ring_first": "ON"})
    assert not store.write(preferences.set_all, {"owner_name": " Kim ", "ring_first": "on"})

    with pytest.raises(PreferenceError):
        store.write(preferences.set_all, {"owner_name": "Ana", "ring_seconds": "4"})

    held = store.read(preferences.load)
    assert (held.owner_name, held.ring_first, held.ring_seconds) == ("Kim", True, 15)
