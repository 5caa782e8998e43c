"""Scripted callers for the browser: what the page is given is complete, and nothing more can be asked for."""

from __future__ import annotations

import json

from assistant.sandbox import browser_callers
from assistant.sandbox.lines import shipped

LINES = ("say", "interrupt", "while_asked")


def test_everybody_has_words_for_the_owner_and_a_voice():
    everybody = browser_callers.everybody()

    assert len(everybody) == len({caller["caller_id"] for caller in everybody}) == 6
    for caller in everybody:
        assert caller["title"]
        assert caller["about"]
        assert caller["steps"][-1]["hear"] == "end"
        for step in caller["steps"]:
            for line_id in (step[name] for name in LINES if name in step):
                assert browser_callers.voice(line_id) == shipped()[line_id].payload
            assert "text" in step or not step.keys() & {"say", "interrupt"}


def test_the_steps_can_be_told_to_a_page():
    steps = {caller["caller_id"]: caller["steps"] for caller in browser_callers.everybody()}

    assert json.loads(json.dumps(steps)) == steps
    assert steps["silence"] == [{"hear": "end", "quiet_ms": 900, "within_ms": 80_000}]
    assert {"say": "yes", "text": "Yes, please.", "while_asked": "put-down"} in steps["booking"]
    assert [step["after_ms"] for step in steps["barge-in"] if "interrupt" in step] == [4000]


def test_only_lines_of_these_callers_have_a_voice_here():
    assert browser_callers.voice("greeting") is None
    assert browser_callers.voice("../lines") is None
