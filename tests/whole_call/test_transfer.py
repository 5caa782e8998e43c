"""The owner's phone is rung in the middle of a call, and the caller comes back, or does not wait."""

from __future__ import annotations

import pytest

from assistant.sandbox.caller.expect import reasons_against
from tests.whole_call.contract import breaches
from tests.whole_call.transfers import Transfers


@pytest.mark.parametrize("kind", ["voicemail", "busy", "no-answer"])
def test_a_caller_whom_nobody_takes_is_with_the_assistant_again(transfers: Transfers, kind: str) -> None:
    record, kept = transfers.call(kind)

    assert reasons_against(record, kept) == []
    assert breaches(kept) == []
    assert record.verbs == ("Connect", "Dial", "Connect")


@pytest.mark.parametrize("kind", ["voicemail", "busy", "no-answer"])
def test_times_count_on_from_the_first_stream(transfers: Transfers, kind: str) -> None:
    kept = transfers.call(kind)[1]

    began_ms = [turn["started_ms"] for turn in kept["turns"]]
    (recording,) = kept["recordings"]
    assert began_ms == sorted(began_ms)
    assert recording["seconds"] * 1000 >= kept["turns"][-1]["started_ms"]
    assert recording["seconds"] == pytest.approx(kept["duration_s"], abs=2.5)


def test_a_caller_who_does_not_wait_has_hung_up(transfers: Transfers) -> None:
    record, kept = transfers.call("does not wait")

    assert reasons_against(record, kept) == []
    assert breaches(kept) == []
