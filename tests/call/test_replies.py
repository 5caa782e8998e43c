"""One response at a time, though two ask for them."""

from __future__ import annotations

from assistant.call.commands import CreateReply
from assistant.call.events import ReplyDone
from assistant.call.replies import Replies


def done(response_id: str, status: str = "completed") -> ReplyDone:
    return ReplyDone(response_id, status, at_ms=0)  # type: ignore[arg-type]


def test_the_first_wish_is_asked_for_at_once():
    assert Replies().wish(say="Hello.") == [CreateReply("reply_1", say="Hello.")]


def test_a_wish_waits_until_what_is_active_is_over():
    replies = Replies()
    replies.wish()
    replies.started("r1")

    assert replies.wish(ask="Ask for the name.") == []
    assert replies.done(done("r1")) == [CreateReply("reply_2", ask="Ask for the name.")]


def test_a_wish_waits_for_what_is_asked_for_and_not_yet_begun():
    replies = Replies()
    replies.wish()

    assert replies.wish() == []
    replies.started("r1")
    assert [type(wish) for wish in replies.done(done("r1"))] == [CreateReply]


def test_several_plain_wishes_become_one():
    replies = Replies()
    replies.caller_stopped()
    replies.started("r1")
    replies.wish()
    replies.wish()

    assert len(replies.done(done("r1"))) == 1
    replies.started("r2")
    assert replies.done(done("r2")) == []
    assert not replies.busy


def test_words_we_chose_are_not_lost_to_a_plain_wish():
    replies = Replies()
    replies.wish()
    replies.wish(ask="Say goodbye.")
    replies.wish()
    replies.started("r1")

    assert [wish.ask for wish in replies.done(done("r1"))] == ["Say goodbye."]


def test_a_tools_answer_that_came_after_the_caller_fell_silent_is_still_spoken_about():
    # The model began its answer the moment the caller fell silent: before it knew the tool's.
    replies = Replies()
    replies.caller_stopped()
    assert replies.wish() == []
    replies.started("r1")

    assert len(replies.done(done("r1"))) == 1


def test_a_refused_request_is_made_again_when_the_other_is_over():
    replies = Replies()
    asked = replies.wish(ask="Ask for the number.")[0]
    replies.started("the model's own")
    replies.refused(asked.event_id)

    assert replies.done(done("the model's own")) == [asked]


def test_a_request_refused_before_the_other_is_known_waits_for_it():
    replies = Replies()
    asked = replies.wish()[0]
    replies.refused(asked.event_id)

    assert replies.busy
    replies.started("the model's own")
    assert replies.done(done("the model's own")) == [asked]


def test_the_models_own_answer_that_was_refused_is_asked_for_by_us():
    # The caller spoke and fell silent while a reply of ours, cancelled too late, was still active.
    replies = Replies()
    replies.wish()
    replies.caller_began()
    replies.started("ours")
    replies.caller_stopped()
    replies.refused("")

    assert [type(wish) for wish in replies.done(done("ours", "cancelled"))] == [CreateReply]


def test_a_refusal_of_what_the_caller_has_overtaken_is_forgotten():
    replies = Replies()
    asked = replies.wish(ask="Old.")[0]
    replies.started("the model's own")
    replies.caller_began()
    replies.refused(asked.event_id)

    assert replies.done(done("the model's own", "cancelled")) == []
    assert not replies.busy


def test_the_caller_overtakes_what_waits():
    replies = Replies()
    replies.wish()
    replies.started("r1")
    replies.wish()
    replies.caller_began()

    assert replies.stale == {"r1"}
    assert replies.done(done("r1", "cancelled")) == []
    assert replies.stale == set()


def test_a_cancelled_reply_does_not_stand_for_the_one_that_is_due():
    replies = Replies()
    replies.wish()
    replies.started("r1")
    replies.caller_began()
    replies.caller_stopped()
    replies.done(done("r1", "cancelled"))

    assert replies.due


def test_a_reply_whose_beginning_was_never_told_is_the_one_that_was_due():
    replies = Replies()
    replies.wish()
    replies.done(done("r1"))

    assert not replies.busy


def test_a_failed_reply_is_tried_once_more_and_every_completed_one_forgives():
    replies = Replies()
    asked = replies.wish(say="Hello.")[0]
    replies.started("r1")
    replies.done(done("r1", "failed"))

    assert replies.may_retry()
    assert replies.busy
    assert [wish.say for wish in replies.again()] == [asked.say]
    replies.started("r2")
    replies.done(done("r2", "failed"))
    assert not replies.may_retry()
    replies.done(done("r3"))
    assert replies.may_retry()


def test_a_goodbye_pushes_aside_what_waits_and_what_is_due():
    replies = Replies()
    replies.caller_stopped()
    replies.wish(ask="Old.")

    assert [wish.ask for wish in replies.insist("Say goodbye.")] == ["Say goodbye."]


def test_what_a_lost_session_owed():
    idle, asked, active, answering, failed = (Replies() for _ in range(5))
    asked.wish(say="Hello.")
    active.wish(say="Hello.")
    active.started("r1")
    answering.caller_stopped()
    failed.wish(say="Hello.")
    failed.started("r1")
    failed.done(done("r1", "failed"))
    failed.may_retry()

    assert idle.lost() is None
    assert [replies.lost().say for replies in (asked, active, failed)] == ["Hello."] * 3
    assert answering.lost() == CreateReply("")
    assert not asked.busy
    assert asked.lost() is None
