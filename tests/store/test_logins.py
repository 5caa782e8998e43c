"""Browsers that are logged in."""

from __future__ import annotations

from datetime import datetime, timedelta

from assistant.store import Store, logins


def test_a_login_is_there_until_it_is_deleted(store: Store, nine: datetime) -> None:
    login_id = store.write(logins.add, now=nine, user_agent="Browser" * 100)
    store.write(logins.touch, login_id, now=nine + timedelta(hours=1))

    login = store.read(logins.get, login_id, now=nine + timedelta(hours=2))
    assert login is not None
    assert login["created_at"] == nine
    assert login["last_seen_at"] == nine + timedelta(hours=1)
    assert len(login["user_agent"]) == logins.LONGEST_USER_AGENT

    store.write(logins.delete, login_id)
    assert store.read(logins.get, login_id, now=nine) is None


def test_ids_cannot_be_guessed(store: Store, nine: datetime) -> None:
    ids = {store.write(logins.add, now=nine) for _ in range(20)}

    assert len(ids) == 20
    assert min(map(len, ids)) >= 43  # 256 bit in base64


def test_logins_die_when_unused_and_when_old(store: Store, nine: datetime) -> None:
    unused = store.write(logins.add, now=nine)
    used = store.write(logins.add, now=nine)
    days = timedelta(days=1)
    store.write(logins.touch, used, now=nine + 29 * days)

    assert store.read(logins.get, unused, now=nine + 31 * days) is None
    assert store.read(logins.get, used, now=nine + 31 * days) is not None
    assert store.write(logins.prune, now=nine + 31 * days) == 1

    store.write(logins.touch, used, now=nine + 180 * days)
    assert store.read(logins.get, used, now=nine + 181 * days) is None
    assert store.write(logins.prune, now=nine + 181 * days) == 1


def test_a_new_password_logs_every_browser_out(store: Store, nine: datetime) -> None:
    login_id = store.write(logins.add, now=nine)
    assert store.read(logins.password_hash) is None

    assert store.write(logins.set_password_hash, "$argon2id$…") == 1
    assert store.write(logins.set_password_hash, "$argon2id$!") == 0

    assert store.read(logins.password_hash) == "$argon2id$!"
    assert store.read(logins.get, login_id, now=nine) is None
