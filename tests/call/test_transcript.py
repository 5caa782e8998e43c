"""Who said what, in the order of the conversation, however late it is known."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from assistant.call import events as ev
from assistant.call.transcript import Transcript, heard_part


def texts(transcript: Transcript) -> list[str]:
    return [turn.text for turn in transcript.turns()]


# --- the part that was heard ---------------------------------------------------


def test_the_heard_part_is_cut_at_a_word():
    text = "We are open from nine to five."

    assert heard_part(text, 500, 1_000) == "We are open"
    assert heard_part(text, 1_000, 1_000) == text
    assert heard_part(text, 0, 1_000) == ""
    assert heard_part(text, 500, 0) == ""
    assert heard_part("Donaudampfschiffahrt", 900, 1_000) == ""


@given(st.text(max_size=200), st.integers(-10, 5_000), st.integers(-10, 5_000))
def test_the_heard_part_is_a_beginning_and_never_more_than_the_share(text, heard_ms, total_ms):
    part = heard_part(text, heard_ms, total_ms)

    assert text.startswith(part)
    if 0 < heard_ms < total_ms:
        assert len(part) <= len(text) * heard_ms / total_ms


# --- order -----------------------------------------------------------------------


def test_words_that_come_after_the_answer_stand_before_it():
    transcript = Transcript()
    transcript.place("u1", None, "caller")
    transcript.place("a1", "u1", "assistant")
    transcript.reply_text("a1", "Thank you.")
    transcript.reply_heard("a1", 800, 4_100, interrupted=False)
    kept = transcript.caller_words("u1", "It's Ana.", 4_200)

    assert [turn.text for turn in kept] == ["It's Ana."]
    assert texts(transcript) == ["It's Ana.", "Thank you."]


def test_an_item_whose_place_is_told_late_moves_there_and_is_kept_again():
    transcript = Transcript()
    transcript.caller_words("u1", "First.", 100)
    transcript.caller_words("u2", "Second.", 200)
    kept = transcript.place("u2", None, "caller") + transcript.place("u1", "u2", "caller")

    assert texts(transcript) == ["Second.", "First."]
    assert {turn.item_id: turn.position for turn in kept} == {"u2": 0.0, "u1": 1.0}


def test_an_item_put_between_two_others_stands_between_them():
    transcript = Transcript()
    for item_id, previous in [("u1", None), ("u2", "u1"), ("a1", "u1")]:
        transcript.place(item_id, previous, "caller")
        transcript.caller_words(item_id, item_id, 0)

    assert texts(transcript) == ["u1", "a1", "u2"]


def test_items_that_name_each_other_in_a_circle_are_not_lost():
    transcript = Transcript()
    for item_id, previous in [("u1", None), ("u2", "u3"), ("u3", "u2"), ("u4", "u4")]:
        transcript.place(item_id, previous, "caller")
        transcript.caller_words(item_id, item_id, 0)

    assert texts(transcript) == ["u1", "u2", "u3", "u4"]


def test_a_server_that_never_tells_the_place_gives_the_order_of_arrival():
    transcript = Transcript()
    for item_id in ["u1", "u2", "u3"]:
        transcript.place(item_id, "", "caller")
        transcript.caller_words(item_id, item_id, 0)

    assert texts(transcript) == ["u1", "u2", "u3"]


def test_a_later_session_follows_all_that_was_said_before():
    transcript = Transcript()
    transcript.place("u1", "never told", "caller")
    transcript.caller_words("u1", "Before.", 0)
    transcript.epoch += 1
    transcript.place("u2", None, "caller")
    transcript.caller_words("u2", "After.", 0)

    assert texts(transcript) == ["Before.", "After."]


@given(st.integers(1, 12), st.randoms(use_true_random=False), st.booleans())
def test_turns_are_in_conversation_order_in_whatever_order_they_are_told(count, rng, tells_twice):
    items = [f"item_{number}" for number in range(count)]
    facts = []
    for number, item_id in enumerate(items):
        previous = items[number - 1] if number else None
        speaker = "caller" if number % 2 == 0 else "assistant"
        facts.append(lambda t, i=item_id, p=previous, s=speaker: t.place(i, p, s))
        if tells_twice:
            facts.append(lambda t, i=item_id, s=speaker: t.place(i, "", s))
        if speaker == "caller":
            facts.append(lambda t, i=item_id: t.caller_words(i, f"{i}.", 0))
            facts.append(lambda t, i=item_id: t.caller_began(i, 0))
        else:
            facts.append(lambda t, i=item_id: t.reply_text(i, f"{i}."))
            facts.append(lambda t, i=item_id: t.reply_sound(i, 1_000, 0))
            facts.append(lambda t, i=item_id: t.reply_heard(i, 1_000, 0, interrupted=False))
    rng.shuffle(facts)
    transcript = Transcript()
    kept = {}
    for fact in facts:
        for turn in fact(transcript) or ():
            kept[turn.item_id] = turn

    in_order = sorted(kept.values(), key=lambda turn: turn.position)
    assert [turn.item_id for turn in in_order] == items
    assert [turn.item_id for turn in transcript.turns()] == items
    assert len({turn.position for turn in in_order}) == count
    assert all(turn.heard_text == turn.text for turn in in_order)


# --- words -----------------------------------------------------------------------


def test_a_failed_transcription_keeps_an_empty_turn_and_holds_up_nobody():
    transcript = Transcript()
    transcript.caller_began("u1", 1_000)
    transcript.caller_stopped("u1", 1_600)
    kept = transcript.take(ev.TranscriptionFailed("u1", at_ms=1_700))

    assert [(turn.text, turn.heard_text, turn.heard_ms) for turn in kept] == [("", "", 600)]
    assert transcript.awaiting_words() == []


def test_words_told_twice_are_kept_once():
    transcript = Transcript()
    assert transcript.caller_words("u1", " Hello. ", 0)[0].text == "Hello."
    assert transcript.caller_words("u1", "Something else.", 0) == []


def test_without_a_transcriber_a_committed_item_has_no_words_to_wait_for():
    transcript = Transcript(transcribes=False)
    transcript.caller_began("u1", 0)
    transcript.take(ev.CallerCommitted("u1", None, at_ms=900))

    assert transcript.awaiting_words() == []


def test_an_interrupted_turn_tells_both_what_was_meant_and_what_was_heard():
    transcript = Transcript()
    transcript.reply_sound("a1", 4_000, 1_000)
    transcript.reply_heard("a1", 1_000, 2_000, interrupted=True)
    turn = transcript.reply_text("a1", "One two three four.")[0]

    assert (turn.text, turn.heard_text, turn.interrupted) == ("One two three four.", "One", True)
    assert (turn.started_ms, turn.ended_ms, turn.heard_ms) == (1_000, 2_000, 1_000)


def test_sound_that_is_generated_after_the_cut_makes_the_heard_share_smaller():
    transcript = Transcript()
    transcript.reply_sound("a1", 1_000, 0)
    transcript.reply_heard("a1", 1_000, 1_000, interrupted=True)
    transcript.reply_sound("a1", 3_000, None)
    turn = transcript.reply_text("a1", "One two three four.")[0]

    assert turn.heard_text == "One"


def test_a_reply_is_not_finished_before_it_is_known_what_was_heard():
    transcript = Transcript()
    transcript.reply_sound("a1", 1_000, 0)

    assert transcript.reply_text("a1", "Hello.") == []
    assert transcript.reply_heard("a1", 1_000, 1_000, interrupted=False)[0].text == "Hello."
    assert transcript.reply_heard("a1", 0, 1_000, interrupted=True) == []


def test_an_item_that_is_neither_ours_nor_the_callers_is_no_turn():
    transcript = Transcript()
    transcript.take(ev.ItemAdded("note", None, "other", at_ms=0))
    transcript.take(ev.ItemAdded("u1", "note", "caller", at_ms=0))
    kept = transcript.take(ev.CallerTranscribed("u1", "Hello.", at_ms=10))

    assert [turn.text for turn in kept] == ["Hello."]
    assert texts(transcript) == ["Hello."]


FACTS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 7), st.integers(0, 3_000)), max_size=40)


@given(FACTS)
def test_heard_is_never_more_than_was_generated(facts):
    """Whatever comes in whatever order: nothing raises, nobody hears more than there is."""
    transcript = Transcript()
    rng = random.Random(len(facts))
    total: dict[str, int] = {}
    turns = []
    for item, what, number in facts:
        item_id = f"item_{item}"
        match what:
            case 0:
                turns += transcript.place(item_id, rng.choice([None, "", f"item_{number % 6}"]), "assistant")
            case 1:
                transcript.reply_sound(item_id, number, number)
                total[item_id] = total.get(item_id, 0) + number
            case 2:
                heard = min(number, total.get(item_id, 0))
                turns += transcript.reply_heard(item_id, heard, number, interrupted=True)
            case 3:
                turns += transcript.reply_text(item_id, "one two three four five six")
            case 4:
                transcript.reply_words(item_id, "one ")
            case 5:
                turns += transcript.reply_settled(item_id)
            case 6:
                turns += transcript.settle_replies()
            case 7:
                transcript.epoch += 1
    for turn in turns:
        assert turn.heard_ms <= total.get(turn.item_id, 0)
        assert turn.text.startswith(turn.heard_text)
        assert turn.started_ms <= turn.ended_ms
