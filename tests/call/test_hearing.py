"""What a new session must hear."""

from __future__ import annotations

from assistant.call.commands import HearCaller
from assistant.call.events import CallerAudio
from assistant.call.hearing import Hearing
from assistant.call.transcript import Transcript


def beginning() -> tuple[Hearing, Transcript]:
    transcript = Transcript()
    return Hearing(transcript), transcript


def heard(hearing: Hearing, until_ms: int, since_ms: int = 0) -> None:
    for at_ms in range(since_ms, until_ms, 20):
        hearing.keep(CallerAudio(at_ms.to_bytes(4), timestamp_ms=at_ms, at_ms=at_ms))


def flushed(hearing: Hearing) -> list[int]:
    commands = hearing.flush()
    assert all(isinstance(command, HearCaller) for command in commands)
    return [int.from_bytes(command.payload) for command in commands]


def test_early_sound_is_flushed_in_order():
    hearing = Hearing(Transcript())
    heard(hearing, 3_000)

    assert flushed(hearing) == list(range(0, 3_000, 20))


def test_no_more_than_the_last_10_s_are_kept():
    hearing = Hearing(Transcript())
    heard(hearing, 25_000)
    kept = flushed(hearing)

    assert kept[0] >= 25_000 - 20 - 10_000
    assert kept[-1] == 24_980


def test_a_sentence_without_words_is_heard_again_from_a_little_before_its_beginning():
    hearing, transcript = beginning()
    heard(hearing, 8_000)
    transcript.caller_began("u1", 6_000)
    hearing.understood(7_900)
    hearing.lost(8_000, was_ready=True)
    heard(hearing, 8_100, since_ms=8_000)

    assert hearing.repeats
    assert flushed(hearing) == list(range(5_600, 8_100, 20))
    assert not hearing.repeats
    assert transcript.awaiting_words() == []


def test_a_sentence_that_was_put_into_words_is_not_heard_again():
    hearing, transcript = beginning()
    heard(hearing, 8_000)
    transcript.caller_words("u1", "Hello.", 7_000)
    hearing.understood(7_990)
    hearing.lost(8_000, was_ready=True)
    heard(hearing, 8_100, since_ms=8_000)

    assert flushed(hearing) == list(range(8_000, 8_100, 20))
    assert not hearing.repeats


def test_what_was_said_to_a_dead_socket_is_heard_again():
    hearing = Hearing(Transcript())
    heard(hearing, 8_000)
    hearing.understood(3_000)
    hearing.lost(8_000, was_ready=True)

    assert flushed(hearing)[0] == 3_000


def test_a_session_that_was_never_ready_has_heard_nothing():
    hearing = Hearing(Transcript())
    heard(hearing, 1_000)
    hearing.lost(1_000, was_ready=False)

    assert flushed(hearing)[0] == 0


def test_a_sentence_older_than_what_is_kept_is_given_up_and_stays_in_the_transcript():
    hearing, transcript = beginning()
    heard(hearing, 30_000)
    transcript.caller_began("u1", 5_000)
    hearing.understood(29_990)
    hearing.lost(30_000, was_ready=True)

    assert not hearing.repeats
    assert transcript.awaiting_words() == ["u1"]


def test_what_no_session_will_ask_for_is_not_kept():
    hearing, _ = beginning()
    heard(hearing, 3_000)
    hearing.flush()
    hearing.understood(2_900)
    heard(hearing, 4_000, since_ms=3_000)

    assert len(hearing._kept) * 20 <= 4_000 - 2_900 + 400 + 1_000  # the onset, and how often it looks


def test_a_sentence_that_is_being_spoken_is_kept_from_its_beginning():
    hearing, transcript = beginning()
    heard(hearing, 3_000)
    hearing.flush()
    transcript.caller_began("u1", 2_800)
    for at_ms in range(3_000, 8_000, 500):
        hearing.understood(at_ms)
        heard(hearing, at_ms + 500, since_ms=at_ms)
    hearing.lost(8_000, was_ready=True)
    heard(hearing, 9_500, since_ms=8_000)

    assert flushed(hearing) == list(range(2_400, 9_500, 20))


def test_what_must_not_be_heard_is_silence_of_the_same_length():
    hearing = Hearing(Transcript())
    heard(hearing, 3_000)
    hearing.silence(2_000)
    payloads = [command.payload for command in hearing.flush()]

    assert payloads[:100] == [at_ms.to_bytes(4) for at_ms in range(0, 2_000, 20)]
    assert payloads[100:] == [b"\xff" * 4] * 50
