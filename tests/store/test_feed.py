"""The secret address of the calendar's feed."""

from __future__ import annotations

import re

from assistant.store import Store, feed


def test_there_is_no_feed_until_it_is_wanted(store: Store) -> None:
    assert store.read(feed.secret) is None


def test_a_feed_that_is_not_wanted_any_more_is_gone(store: Store) -> None:
    store.write(feed.renew)

    store.write(feed.remove)

    assert store.read(feed.secret) is None


def test_a_new_secret_replaces_the_old_one(store: Store) -> None:
    secrets = [store.write(feed.renew) for _ in range(20)]

    assert store.read(feed.secret) == secrets[-1]
    assert len(set(secrets)) == 20
    assert all(re.fullmatch(r"[\w-]{43}", secret) for secret in secrets)  # 256 bit, fit for an address
