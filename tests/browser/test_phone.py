"""Ringing the assistant from the browser: into a microphone, as a scripted caller, and with the keypad.

All three at once, each from a browser of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.browser import microphone
from tests.browser.browsing import Owner, Window
from tests.whole_call.house import LONGEST_CALL_S, eventually
from tests.whole_call.owner_calls import PIN, set_pin

Kept = dict[str, Any]


class Phone:
    """A page with a phone on it."""

    def __init__(self, owner: Owner, stack: ExitStack, **chosen: str) -> None:
        self.house = owner.house
        self.window: Window = stack.enter_context(owner.window(permissions=["microphone"]))
        self.page = self.window.go("/phone")
        for name, value in chosen.items():
            self.page.locator(f"#ring-as [name={name}][value='{value}']").check()
        self.page.locator("#call").click()

    def state(self, name: str, within_s: float = 15) -> None:
        """Wait until it is so."""
        self.page.wait_for_selector(f"#phone[data-state={name}]", timeout=within_s * 1000)

    @property
    def call_sid(self) -> str:
        return str(self.page.get_attribute("#phone", "data-call-sid"))

    @property
    def kept(self) -> Kept:
        return self.house.kept(self.call_sid)

    def ended(self) -> Kept:
        """The books of the call, once they are closed."""
        return eventually(lambda: self.kept if self.kept.get("ended_at") else {}, "the call has ended")

    def said(self, speaker: str) -> list[str]:
        """What one side has said so far."""
        return [turn["text"] for turn in self.kept.get("turns", []) if turn["speaker"] == speaker]


@pytest.fixture(scope="module")
def phones(host: Owner) -> Iterator[dict[str, Phone]]:
    """Three of them, ringing."""
    set_pin(host.house)
    with ExitStack() as stack:
        phones = {
            "microphone": Phone(host, stack, speaks=""),
            "scripted": Phone(host, stack, speaks="message"),
            "owner": Phone(host, stack, speaks="silence", **{"as": "owner"}),
        }
        for phone in phones.values():
            phone.state("talking")
        yield phones


def test_the_keypad_is_heard(phones: dict[str, Phone]):
    phone = phones["owner"]
    eventually(lambda: phone.said("assistant"), "the assistant has said its first words")
    for key in f"{PIN}#":
        phone.page.locator(f".keys button[data-key='{key}']").click()

    eventually(lambda: phone.kept["trust"] == "owner", "the PIN is taken")


def test_what_is_said_into_the_microphone_is_written_down_and_answered(phones: dict[str, Phone]):
    phone = phones["microphone"]

    eventually(lambda: any("parcel" in said for said in phone.said("caller")), "the caller is understood")
    eventually(lambda: any("neighbours" in said for said in phone.said("assistant")), "there is an answer")
    assert int(phone.page.get_attribute("#phone", "data-heard-ms") or 0) > 1000
    assert int(phone.page.get_attribute("#phone", "data-frames") or 0) > microphone.WAITS_MS / 20


def test_hanging_up_ends_the_call(phones: dict[str, Phone]):
    for phone in (phones["microphone"], phones["owner"]):
        phone.page.locator("#call").click()
        phone.state("ended")

        assert phone.ended()["ended_because"] == "caller_hung_up"


def test_the_call_can_be_read_and_heard_like_any_other(phones: dict[str, Phone]):
    phone = phones["microphone"]
    kept = phone.ended()
    speakers = {turn["speaker"] for turn in kept["turns"]}
    assert speakers == {"caller", "assistant"}
    assert [recording["kind"] for recording in kept["recordings"]] == ["call"]

    phone.window.go(f"/calls/{phone.call_sid}")
    phone.page.wait_for_selector("#player[data-ready]")
    assert "parcel" in phone.page.locator("#transcript").inner_text()


def test_a_scripted_caller_needs_no_microphone(phones: dict[str, Phone]):
    phone = phones["scripted"]
    phone.state("ended", within_s=LONGEST_CALL_S)

    kept = phone.ended()
    assert kept["outcome"] == "message"
    assert "boiler" in kept["message"]["text"]
