"""What is done beside the calls: a round that fails is made again."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assistant import rounds
from assistant.errors import RestError
from assistant.store import Store, calls, open_database


def test_twilio_out_of_reach_is_a_line_in_the_log_and_nothing_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(rounds, "CATCH_UP_S", 0.01)
    database = tmp_path / "afterbeep.db"
    open_database(database).close()
    store = Store(database)
    last_alive = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
    store.write(calls.set_alive, last_alive)
    asked: list[datetime] = []
    done = threading.Event()

    def catch_up(since: datetime) -> None:
        asked.append(since)
        if len(asked) == 1:
            raise RestError("Twilio could not be reached to list calls: ConnectionError")
        done.set()

    beside = rounds.Rounds(store, tmp_path, catch_up)
    with caplog.at_level(logging.WARNING):
        beside.recover()
        beside.begin()
        assert done.wait(10)
        beside.stop()

    assert asked[:2] == [last_alive, last_alive]
    assert [(line.levelname, line.exc_info) for line in caplog.records] == [("WARNING", None)]
    assert "could not be reached" in caplog.text
