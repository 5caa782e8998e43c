"""The link with the owner's Google account, as it is kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assistant.store import Store, google_link, open_database
from assistant.store.google_link import Begun, Link

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
LINK = Link(
    account="owner@example.com",
    client_id="1-x",
    scopes=("a", "b"),
    tokens=b"sealed",
    linked_at=NOW,
    dies_at=NOW + timedelta(days=7),
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    open_database(tmp_path / "afterbeep.db").close()
    return Store(tmp_path / "afterbeep.db")


def test_a_link_is_kept_whole(store: Store):
    assert store.read(google_link.link) is None

    store.write(google_link.keep, LINK)

    assert store.read(google_link.link) == LINK
    assert "sealed" not in repr(LINK)


def test_there_is_one_link_at_most(store: Store):
    store.write(google_link.keep, replace(LINK, broken_since=NOW, broken_why="dead", last_success_at=NOW))
    newer = replace(LINK, account="", linked_at=NOW + timedelta(seconds=1), dies_at=None)

    store.write(google_link.keep, newer)

    assert store.read(google_link.link) == newer


def test_what_an_old_link_has_to_say_does_not_touch_a_new_one(store: Store):
    store.write(google_link.keep, LINK)
    old = NOW - timedelta(minutes=1)

    store.write(google_link.keep_tokens, old, b"other")
    store.write(google_link.succeeded, old, NOW, "other")
    store.write(google_link.troubled, old, "not enabled")
    store.write(google_link.broke, old, NOW, "dead")

    assert store.write(google_link.unlink, old) is False
    assert store.read(google_link.link) == LINK
    assert store.write(google_link.unlink, NOW) is True
    assert store.read(google_link.link) is None


def test_success_is_written_once_a_minute(store: Store):
    store.write(google_link.keep, LINK)

    seen = []
    for seconds in (0, 59, 60):
        store.write(google_link.succeeded, NOW, NOW + timedelta(seconds=seconds))
        seen.append(store.read(google_link.link).last_success_at)

    assert seen == [NOW, NOW, NOW + timedelta(seconds=60)]


def test_the_accounts_name_comes_with_a_success(store: Store):
    store.write(google_link.keep, replace(LINK, account=""))
    store.write(google_link.succeeded, NOW, NOW)

    store.write(google_link.succeeded, NOW, NOW + timedelta(seconds=1), "owner@example.com")
    store.write(google_link.succeeded, NOW, NOW + timedelta(seconds=90), "")

    assert store.read(google_link.link).account == "owner@example.com"


def test_trouble_is_kept_until_a_success(store: Store):
    store.write(google_link.keep, replace(LINK, last_success_at=NOW))

    store.write(google_link.troubled, NOW, "not enabled")
    troubled = store.read(google_link.link)
    store.write(google_link.succeeded, NOW, NOW + timedelta(seconds=1))

    assert troubled == replace(LINK, last_success_at=NOW, trouble="not enabled")
    assert store.read(google_link.link) == replace(LINK, last_success_at=NOW + timedelta(seconds=1))


def test_a_dead_link_has_no_other_trouble_and_no_late_answer_revives_it(store: Store):
    store.write(google_link.keep, replace(LINK, trouble="not enabled"))

    store.write(google_link.broke, NOW, NOW, "dead")
    store.write(google_link.troubled, NOW, "not enabled")
    store.write(google_link.succeeded, NOW, NOW)

    kept = store.read(google_link.link)
    assert (kept.broken_since, kept.broken_why, kept.trouble) == (NOW, "dead", "")


def test_what_broke_it_first_stays(store: Store):
    store.write(google_link.keep, LINK)

    store.write(google_link.broke, NOW, NOW, "first")
    store.write(google_link.broke, NOW, NOW + timedelta(hours=1), "second")

    kept = store.read(google_link.link)
    assert (kept.broken_since, kept.broken_why) == (NOW, "first")


def test_what_was_begun_is_taken_once_within_ten_minutes(store: Store):
    begun = Begun(b"verifier", "https://phone.example/calendar/oauth/callback")
    store.write(google_link.begin, "one", begun, NOW)
    store.write(google_link.begin, "two", begun, NOW)

    assert store.write(google_link.take, "one", NOW + timedelta(minutes=10)) == begun
    assert store.write(google_link.take, "one", NOW) is None
    assert store.write(google_link.take, "two", NOW + timedelta(minutes=10, seconds=1)) is None
    assert store.write(google_link.take, "two", NOW) is None
    assert store.write(google_link.take, "never", NOW) is None


def test_what_was_never_finished_is_forgotten_with_the_next(store: Store):
    begun = Begun(b"verifier", "https://phone.example/calendar/oauth/callback")
    store.write(google_link.begin, "one", begun, NOW)

    store.write(google_link.begin, "two", begun, NOW + timedelta(minutes=11))

    assert store.write(google_link.take, "one", NOW) is None
