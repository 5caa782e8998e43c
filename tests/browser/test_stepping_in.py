"""The owner steps into a call without answering it, by what the page offers; and the caller hears it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.browser.browsing import Owner, Window
from tests.whole_call.house import Ringing, eventually, script

CALLER = """
title = "A caller who stays on the line"
[[caller]]
label = "Ana"
from = "{number}"
steps = [
  {{ hear = "reply" }},
  {{ say = "question-1" }},
  {then}
  {{ hear = "end", within_s = 60 }},
]
"""
TALKS = '{ hear = "reply" },'
LEAVES_WORD = '{ hear = "tone" }, { say = "message-1" }, { be_quiet_ms = 300 }, { hang_up = true },'
TAKES_IT = '\n[owner]\nkind = "presses-1"\nanswers_after_ms = 1500\ntalks_ms = 1500\n'
WORDS = "The key is under the blue pot."

Kept = dict[str, Any]


class Call:
    """A call that goes on, and the owner in front of its page."""

    def __init__(self, owner: Owner, number: str, then: str = TALKS, phone: str = "") -> None:
        self.house = owner.house
        self.ringing: Ringing = self.house.ring(script(CALLER.format(number=number, then=then) + phone))
        self.ringing.until("rings")
        self.call_sid = self.ringing.call_sids[0]
        self.window: Window | None = None

    def open(self, owner: Owner, stack: ExitStack) -> Window:
        """Look at it, once the assistant has it."""
        eventually(lambda: self.house.kept(self.call_sid).get("turns"), "the first words are kept")
        self.window = stack.enter_context(owner.window())
        self.window.go(f"/calls/{self.call_sid}")
        self.window.page.wait_for_selector("#step-in")
        return self.window

    @property
    def kept(self) -> Kept:
        return self.house.kept(self.call_sid)

    def ended(self) -> Kept:
        """The books of the call, once they are closed."""
        return eventually(lambda: self.kept if self.kept["ended_at"] else {}, "the call has ended")

    def said(self, words: str) -> list[Kept]:
        """What the caller has heard of the assistant with these words in it."""
        turns = self.kept["turns"]
        return [turn for turn in turns if turn["speaker"] == "assistant" and words in turn["heard_text"]]


def do(window: Window, kind: str) -> None:
    """One of the heavier deeds: it asks first. Pressed twice, by somebody in a hurry."""
    deed = window.page.locator(f"details.heavy[data-kind={kind}]")
    deed.locator("summary").click()
    deed.locator("button.yes").dblclick()


def answer(window: Window) -> str:
    """What the page says came of it: within a second."""
    found = window.page.locator("#step-in-result p.done")
    found.wait_for(timeout=1000)
    return found.inner_text()


@pytest.fixture(scope="module")
def calls(host: Owner) -> Iterator[dict[str, Call]]:
    """Three callers at once: they are all told, or done, something else."""
    with ExitStack() as stack:
        calls = {
            "told": Call(host, "+12025550161"),
            "voicemail": Call(host, "+12025550162", LEAVES_WORD),
            "rung": Call(host, "+12025550163", phone=TAKES_IT),
            "blocked": Call(host, "+12025550164"),
        }
        for call in calls.values():
            call.open(host, stack)
        yield calls


def window_of(call: Call) -> Window:
    assert call.window
    return call.window


def test_the_owner_tells_them_something_and_they_hear_it_once(calls: dict[str, Call]):
    call, window = calls["told"], window_of(calls["told"])
    window.page.fill("#step-in-text", WORDS)
    window.page.locator("#step-in-say button[value=tell]").dblclick()

    answer(window)
    eventually(lambda: call.said(WORDS), "the caller has heard it")
    assert len(call.said(WORDS)) == 1
    assert window.page.locator("#live-lines li.stepped").count() == 1
    assert window.page.input_value("#step-in-text") == ""


def test_the_owner_sends_them_to_voicemail(calls: dict[str, Call]):
    call, window = calls["voicemail"], window_of(calls["voicemail"])
    do(window, "voicemail")

    answer(window)
    report = call.ringing.report()
    kept = call.ended()
    assert report.call.recordings
    assert [recording["kind"] for recording in kept["recordings"] if recording["kind"] == "voicemail"]
    assert kept["outcome"] == "voicemail"


def test_the_owner_has_their_own_phone_rung_and_takes_the_call(calls: dict[str, Call]):
    call, window = calls["rung"], window_of(calls["rung"])
    do(window, "ring")

    answer(window)
    call.ringing.report()
    assert call.ended()["outcome"] == "transferred"


def test_the_owner_blocks_a_caller(calls: dict[str, Call]):
    call, window = calls["blocked"], window_of(calls["blocked"])
    do(window, "block")

    answer(window)
    record = call.ringing.report().call
    assert record.ended_by == "app"
    assert call.ended()["ended_because"] == "owner_ended"


def test_the_owner_hangs_up(calls: dict[str, Call]):
    call, window = calls["told"], window_of(calls["told"])
    do(window, "hang_up")

    answer(window)
    record = call.ringing.report().call
    assert record.ended_by == "app"
    assert call.ended()["ended_because"] == "owner_ended"
    window.page.wait_for_selector("#live.over")
