"""The bench measures what it says. Quick, and no figure of the program's is judged here."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import uvloop

from tests.bench import stamp
from tests.bench.figures import MS, percentile
from tests.bench.journal import CallNotes, trips
from tests.bench.load import Load
from tests.bench.phone import PlayOut
from tests.bench.response import DELTA_MS
from tests.bench.rows import Row
from tests.bench.servers import Floor


def test_every_frame_goes_through_the_floor_to_the_model_and_back(tmp_path: Path) -> None:
    async def three_calls() -> list[CallNotes]:
        load = await Load(tmp_path).open()
        load.model.behave("echo")
        floor = await Floor.start(tmp_path, load.model.socket_url)
        try:
            async with load.calls(floor) as calls, asyncio.timeout(10):
                await calls.begin(3)
                while min(len(call.sent_ns) for call in calls.notes) < 20:
                    await asyncio.sleep(0.02)
                return calls.notes
        finally:
            floor.stop()
            await load.close()

    notes = uvloop.run(three_calls())

    early = trips(notes, 0, min(call.sent_ns[15] for call in notes))
    assert len(notes) == 3
    assert len(early.around) >= 3 * 14
    assert early.lost == 0
    assert min(early.to_model) > 0
    assert min(early.to_caller) > 0
    apart = [
        (later - earlier) / MS for earlier, later in zip(notes[0].sent_ns, notes[0].sent_ns[1:], strict=False)
    ]
    assert percentile(apart, 50) == pytest.approx(20, abs=1)


def test_a_stamp_is_read_from_the_middle_of_a_message() -> None:
    payload = stamp.stamped("model", 7, 3) + stamp.rest(DELTA_MS * 8)

    assert stamp.read(b"before" + payload, len(b"before")) == ("model", 7, 3)
    assert stamp.size_bytes(payload) == DELTA_MS * 8
    assert stamp.read(b"A" * 40, 0) is None
    assert stamp.read(b"short", 0) is None


def test_a_phone_knows_what_it_has_played_of_each_item_when_it_is_cleared() -> None:
    playing = PlayOut()
    for item, count in ((1, 0), (1, 1), (2, 0)):
        playing.remember(item, count * DELTA_MS, playing.queue(DELTA_MS * 8, 0))

    assert playing.empty_ns == 600 * MS
    assert playing.clear(250 * MS) == {1: (250, 400), 2: (0, 200)}
    assert playing.clear(260 * MS) == {}
    assert playing.queue(8, 300 * MS) == 300 * MS


def test_a_frame_that_is_not_back_is_lost_and_one_outside_the_stretch_is_not_counted() -> None:
    call = CallNotes(sent_ns=[0, 10 * MS, 20 * MS], heard_ns=[1, 11 * MS, 0], back_ns=[2, 13 * MS, 0])

    found = trips([call], 5 * MS, 30 * MS)

    assert (found.around, found.to_model, found.to_caller, found.lost) == ([3], [1], [2], 1)


@pytest.mark.parametrize(
    ("value", "at_least", "verdict"),
    [
        (2.0, False, "aim reached"),
        (3.0, False, "ok"),
        (3.1, False, "MISSED"),
        (None, False, "MISSED"),
        (1.0, True, "MISSED"),
        (2.5, True, "aim reached"),
    ],
)
def test_a_row_says_whether_its_bar_is_reached(value: float | None, at_least: bool, verdict: str) -> None:
    bar, aim = (2.0, 2.5) if at_least else (3.0, 2.2)

    assert Row("CPU", value, "×", bar, aim, at_least=at_least).verdict == verdict


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert percentile([3, 1, 2], 50) == 2
    assert percentile(range(1, 101), 99) == 99
    assert percentile([], 99) == float("inf")
