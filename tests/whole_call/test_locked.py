"""A locked database holds nobody up, and nothing that happened meanwhile is lost."""

from __future__ import annotations

from assistant.sandbox.caller.expect import reasons_against
from tests.whole_call.contract import breaches
from tests.whole_call.house import eventually
from tests.whole_call.locked import Locked

WEBHOOK_S = 2.0


def test_the_call_goes_on_and_is_kept_whole(locked: Locked) -> None:
    report = locked.report()
    kept = locked.house.closed(report.call)

    assert report.problems == ()
    assert reasons_against(report.call, kept) == []
    assert breaches(kept) == []
    assert [turn["text"] for turn in kept["turns"] if turn["speaker"] == "caller"] == [
        spoken.text for spoken in report.call.spoken
    ]


def test_webhooks_are_answered_all_the_same(locked: Locked) -> None:
    locked.report()

    assert len(locked.rang) >= 3
    assert max(locked.took_s) < WEBHOOK_S


def test_every_call_that_rang_meanwhile_has_its_row(locked: Locked) -> None:
    locked.report()

    for call_sid in locked.rang:
        kept = eventually(
            lambda sid=call_sid: locked.house.kept(sid), "a row is written when the lock is gone"
        )
        assert (kept["outcome"], kept["ended_because"]) == ("missed", "caller_hung_up")
