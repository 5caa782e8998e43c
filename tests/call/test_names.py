"""Names of a session that another session may give again."""

from __future__ import annotations

import pytest

from assistant.call import commands as do
from assistant.call import events as ev
from assistant.call.names import Names

EVENTS = [
    ev.SpeechStarted("item_1", at_ms=1),
    ev.ItemAdded("item_2", "item_1", "caller", at_ms=1),
    ev.ReplyAudio("resp_1", "item_3", 0, b"x", at_ms=1),
    ev.ReplyDone("resp_1", "completed", (ev.ToolCall("call_1", "take_message", "{}"),), at_ms=1),
]


@pytest.mark.parametrize("event", EVENTS)
def test_the_first_session_keeps_its_names(event):
    assert Names(1).ours(event) is event


@pytest.mark.parametrize("event", EVENTS)
def test_no_name_of_a_later_session_is_one_of_an_earlier(event):
    names = [Names(session).ours(event) for session in (1, 2, 3)]

    assert len(set(map(str, names))) == 3


def test_an_item_that_was_not_named_or_is_the_first_stays_so():
    for previous in ("", None):
        added = Names(2).ours(ev.ItemAdded("item_1", previous, "caller", at_ms=0))
        assert isinstance(added, ev.ItemAdded)
        assert (added.item_id, added.previous_item_id) == ("2/item_1", previous)


def test_the_model_is_answered_with_its_own_names():
    names = Names(2)

    assert names.theirs(do.TruncateReply("2/item_1", 0, 500)) == do.TruncateReply("item_1", 0, 500)
    assert names.theirs(do.AnswerTool("2/call_1", {})) == do.AnswerTool("call_1", {})
    assert names.theirs(do.HearCaller(b"x")) == do.HearCaller(b"x")


def test_events_without_names_pass_through():
    ready = ev.ModelReady(at_ms=0)

    assert Names(2).ours(ready) == ready
