"""The owner's phone rings first: who takes the call, and that a mailbox never does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from assistant.sandbox.caller import CallRecord
from assistant.sandbox.caller.expect import reasons_against
from assistant.sandbox.caller.script import Scenario
from tests.whole_call.contract import breaches
from tests.whole_call.house import NO_CAPS, House, Kept, Ringing, script

OWNER_ANSWERS = """
[owner]
kind = "presses-1"
talks_ms = 3000

[[caller]]
steps = [{ hear = "end", within_s = 60 }]

[expect]
outcome = "answered_by_owner"
ended_because = "caller_hung_up"
ended_by = "document"
streams = 0
"""

ASSISTANT_TAKES_OVER = """
[owner]
kind = "{kind}"

[[caller]]
steps = [{{ hear = "reply", within_s = 90 }}, {{ say = "thanks-bye" }}, {{ hear = "end" }}]

[expect]
outcome = "talked"
ended_because = "assistant_ended"
ended_by = "app"
tools = ["end_call"]
streams = 1
"""


def scenarios() -> dict[str, Scenario]:
    unanswered = {kind: script(ASSISTANT_TAKES_OVER.format(kind=kind)) for kind in ("no-answer", "voicemail")}
    return {"presses-1": script(OWNER_ANSWERS)} | unanswered


class Owner:
    """Three calls at once for owners who behave differently."""

    def __init__(self, house: House) -> None:
        self.house = house
        self._ringing: dict[str, Ringing] = {
            kind: house.ring(scenario, hurry=10.0) for kind, scenario in scenarios().items()
        }

    def call(self, kind: str) -> tuple[CallRecord, Kept]:
        record = self._ringing[kind].report().call
        return record, self.house.closed(record)


@pytest.fixture(scope="module")
def owner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Owner]:
    house = House(tmp_path_factory.mktemp("owner") / "instance")
    with house.prefer(**NO_CAPS, disclosure="", ring_first="on"):
        yield Owner(house)


def test_the_owner_presses_1_and_talks_with_the_caller(owner: Owner) -> None:
    record, kept = owner.call("presses-1")

    assert reasons_against(record, kept) == []
    assert breaches(kept) == []
    assert record.verbs == ("Dial", "Hangup")
    assert nothing_of_the_assistant(kept)


@pytest.mark.parametrize("kind", ["no-answer", "voicemail"])
def test_the_assistant_takes_the_call(owner: Owner, kind: str) -> None:
    record, kept = owner.call(kind)

    assert reasons_against(record, kept) == []
    assert breaches(kept) == []
    assert record.verbs == ("Dial", "Connect")


def nothing_of_the_assistant(kept: Kept) -> bool:
    return not (kept["turns"] or kept["recordings"] or kept["tool_runs"] or kept["cost_usd"])
