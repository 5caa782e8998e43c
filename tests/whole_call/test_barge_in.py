"""However late a reply is interrupted: what is kept of it is what the phone had played."""

from __future__ import annotations

import pytest

from assistant.sandbox.caller.expect import TOLERANCE_MS, reasons_against, turns_within
from tests.whole_call.barge_ins import AFTER_MS, BargeIns
from tests.whole_call.contract import breaches


@pytest.mark.parametrize("after_ms", AFTER_MS)
def test_what_was_heard_is_known_to_40_ms(barge_ins: BargeIns, after_ms: int) -> None:
    record, kept = barge_ins.call(after_ms)
    [cut] = [stretch for stretch in record.heard if stretch.cut]
    turns = turns_within(cut, kept)

    assert reasons_against(record, kept) == []
    assert breaches(kept) == []
    assert sum(turn["heard_ms"] for turn in turns) == pytest.approx(cut.played_ms, abs=TOLERANCE_MS)
    first_cut = [turn["interrupted"] for turn in turns].index(True)
    assert all((turn["heard_ms"], turn["heard_text"]) == (0, "") for turn in turns[first_cut + 1 :])
