"""What is asked of a session, what is made of a refusal, and what is not gone on with."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest

from assistant.realtime.models import MODELS, TRANSCRIBERS, VOICES, fitting_voice, known_as
from assistant.realtime.session import (
    Agreed,
    GivenUp,
    Negotiation,
    SessionWish,
    differences,
    effective_format,
    fatal_code,
    repaired,
    session_update,
)
from tests.realtime.oracle import check_client

TOOL = {
    "type": "function",
    "name": "take_message",
    "description": "Keep a message.",
    "parameters": {"type": "object", "properties": {}, "required": []},
}
WISH = SessionWish(model="gpt-realtime-2.1", instructions="Be brief.", tools=(TOOL,))
CREATED = {"type": "session.created", "session": {}}


def granted(wish: SessionWish = WISH) -> dict:
    """A session.updated that grants everything."""
    return {"type": "session.updated", "session": copy.deepcopy(session_update(wish)["session"])}


def refusal(param: str | None = None, code: str = "unknown_parameter", **more: object) -> dict:
    error = {"type": "invalid_request_error", "code": code, "message": "", "param": param, **more}
    return {"type": "error", "event_id": "e", "error": error}


def session_of(message: object) -> dict:
    assert isinstance(message, dict)
    return message["session"]


# --- what is asked -----------------------------------------------------------


@pytest.mark.parametrize("model", [*MODELS, "gpt-realtime-2025-08-28", "another-server"])
@pytest.mark.parametrize("transcription", [*TRANSCRIBERS, ""])
@pytest.mark.parametrize("audio", ["pcmu", "pcm"])
def test_every_session_update_is_valid(model: str, transcription: str, audio):
    wish = SessionWish(
        model, "Be brief.", transcription=transcription, audio=audio, keywords=("Ana",), tools=(TOOL,)
    )

    check_client(session_update(wish))


def test_a_session_is_asked_for_in_mu_law_with_turns_that_end_by_themselves():
    session = session_update(WISH)["session"]

    assert (
        session["audio"]["input"]["format"] == session["audio"]["output"]["format"] == {"type": "audio/pcmu"}
    )
    assert session["audio"]["input"]["turn_detection"] == {
        "type": "server_vad",
        "threshold": 0.6,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 700,
        "create_response": True,
        "interrupt_response": True,
    }
    assert session["output_modalities"] == ["audio"]


def test_only_reasoning_models_are_asked_to_reason():
    assert session_update(WISH)["session"]["reasoning"] == {"effort": "low"}
    assert session_update(WISH)["session"]["parallel_tool_calls"] is False
    for model in ("gpt-realtime-1.5", "gpt-realtime-2025-08-28", "somebody-elses"):
        session = session_update(replace(WISH, model=model))["session"]
        assert "reasoning" not in session
        assert "parallel_tool_calls" not in session


def test_each_transcriber_is_told_the_language_its_own_way():
    def transcription(name: str) -> dict:
        wish = replace(WISH, transcription=name, language="de", keywords=("Kessler",))
        return session_update(wish)["session"]["audio"]["input"]["transcription"]

    assert transcription("gpt-transcribe") == {
        "model": "gpt-transcribe",
        "languages": ["de"],
        "keywords": ["Kessler"],
    }
    assert transcription("gpt-4o-transcribe") == {"model": "gpt-4o-transcribe", "language": "de"}
    assert transcription("") is None


def test_a_voice_made_from_the_owners_samples_is_asked_for_by_its_id():
    update = session_update(replace(WISH, voice="voice_abc"))

    check_client(update)
    assert update["session"]["audio"]["output"]["voice"] == {"id": "voice_abc"}


@pytest.mark.parametrize("name", VOICES)
def test_a_realtime_voice_is_kept(name: str):
    assert fitting_voice(name) == (name, None)


@pytest.mark.parametrize("name", ["nova", "onyx", "fable", "Nova", "nobody", ""])
def test_a_voice_that_would_be_noise_is_replaced_with_a_warning(name: str):
    voice, warning = fitting_voice(name)

    assert voice in VOICES
    assert warning is not None
    assert voice in warning


def test_a_dated_snapshot_is_known_by_its_model():
    assert known_as("gpt-realtime-2.1-mini-2026-06-01", MODELS) == "gpt-realtime-2.1-mini"
    assert known_as("gpt-realtime-3", MODELS) is None


# --- what took effect --------------------------------------------------------


def test_a_session_as_wished_has_no_differences():
    assert differences(WISH, granted()["session"]) == []


def test_differences_are_named():
    session = granted()["session"]
    session["instructions"] = "You are a helpful assistant."
    session["tools"] = []
    session["audio"]["input"]["turn_detection"] = None
    session["audio"]["input"]["transcription"] = None
    session["audio"]["input"]["format"] = session["audio"]["output"]["format"] = {
        "type": "audio/pcm",
        "rate": 24000,
    }
    session["audio"]["output"]["voice"] = "alloy"

    assert sorted(differences(WISH, session)) == [
        "audio.input.format",
        "audio.input.transcription",
        "audio.input.turn_detection",
        "audio.output.format",
        "audio.output.voice",
        "instructions",
        "tools",
    ]


def test_what_a_server_does_not_tell_counts_as_granted():
    assert differences(WISH, {}) == []


def test_the_older_interfaces_names_are_understood():
    session = {
        "input_audio_format": "g711_ulaw",
        "output_audio_format": "pcm16",
        "voice": "marin",
        "turn_detection": {"type": "server_vad"},
        "instructions": "Be brief.",
    }

    assert effective_format(session, "input", WISH) == "pcmu"
    assert effective_format(session, "output", WISH) == "pcm"
    assert differences(WISH, session) == ["audio.output.format"]


@pytest.mark.parametrize("told", [{"type": "audio/pcm", "rate": 16000}, {"type": "audio/pcma"}, 7])
def test_a_format_we_cannot_convert_is_none(told: object):
    assert effective_format({"audio": {"input": {"format": told}}}, "input", WISH) is None


# --- repair ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("param", "left_out"),
    [
        ("session.audio.input.transcription", "audio.input.transcription"),
        ("session.audio.input.transcription.model", "audio.input.transcription"),
        ("session.audio.input.transcription.languages", "audio.input.transcription.languages"),
        ("session.audio.input.noise_reduction", "audio.input.noise_reduction"),
        ("session.audio.input.noise_reduction.type", "audio.input.noise_reduction"),
        ("session.reasoning.effort", "reasoning"),
        ("session.truncation.token_limits.post_instructions", "truncation"),
        ("session.truncation.type", "truncation"),
        ("session.parallel_tool_calls", "parallel_tool_calls"),
        ("session.audio.output.voice", "audio.output.voice"),
        ("session.output_modalities[0]", "output_modalities"),
        ("session.model", "model"),
    ],
)
def test_a_refused_field_is_left_out(param: str, left_out: str):
    wish = repaired(WISH, refusal(param)["error"])

    assert wish is not None
    assert wish.dropped == {left_out}
    if left_out != "model":
        check_client(session_update(wish))
    at = session_update(wish)["session"]
    *parents, name = left_out.split(".")
    for parent in parents:
        at = at[parent]
    assert name not in at


@pytest.mark.parametrize("param", ["session.type", "session.instructions", "session.tools[0].parameters"])
def test_what_a_call_needs_is_never_left_out(param: str):
    assert repaired(WISH, refusal(param)["error"]) is None


def test_refused_mu_law_is_asked_for_as_pcm_and_refused_pcm_is_the_end():
    pcm = repaired(WISH, refusal("session.audio.input.format.type", code="invalid_value")["error"])

    assert pcm is not None
    assert session_update(pcm)["session"]["audio"]["output"]["format"] == {"type": "audio/pcm", "rate": 24000}
    assert repaired(pcm, refusal("session.audio.input.format.type")["error"]) is None


def test_the_field_may_be_named_in_the_message_only():
    error = {"message": "Unknown parameter: 'session.audio.input.noise_reduction'.", "param": None}

    wish = repaired(WISH, error)

    assert wish is not None
    assert wish.dropped == {"audio.input.noise_reduction"}


def test_a_refusal_of_nothing_in_particular_leaves_out_what_is_optional_once():
    wish = repaired(WISH, refusal(None)["error"])

    assert wish is not None
    check_client(session_update(wish))
    assert "truncation" not in session_update(wish)["session"]
    assert repaired(wish, refusal(None)["error"]) is None


def test_repair_ends():
    wish: SessionWish | None = WISH
    tries = 0
    while wish is not None:
        wish = repaired(wish, refusal("session.audio.input.format.type" if tries else None)["error"])
        tries += 1

    assert tries < 8


# --- the conversation about it -----------------------------------------------


def agreeing() -> Negotiation:
    negotiation = Negotiation(WISH)
    assert session_of(negotiation.hear(CREATED))["instructions"] == "Be brief."
    return negotiation


def test_a_session_is_ours_only_when_it_was_updated():
    negotiation = Negotiation(WISH)

    assert negotiation.hear({"type": "conversation.created"}) is None
    assert negotiation.hear(granted()) is None
    assert isinstance(negotiation.hear(CREATED), dict)
    assert negotiation.hear(granted()) == Agreed("pcmu", "pcmu", [])


def test_a_refused_update_is_repaired_and_asked_for_again():
    negotiation = agreeing()

    again = negotiation.hear(refusal("session.audio.input.noise_reduction", event_id="session_1"))

    assert "noise_reduction" not in session_of(again)["audio"]["input"]
    assert session_of(again)["instructions"] == "Be brief."
    assert negotiation.hear(granted(negotiation.wish)) == Agreed("pcmu", "pcmu", [])
    assert negotiation.refused == ["audio.input.noise_reduction"]


def test_a_server_that_stays_on_pcm_is_gone_on_with():
    update = granted()
    update["session"]["audio"]["output"]["format"] = {"type": "audio/pcm", "rate": 24000}

    assert agreeing().hear(update) == Agreed("pcmu", "pcm", ["audio.output.format"])


def test_a_server_that_keeps_its_own_instructions_is_asked_once_more_then_given_up():
    update = granted()
    update["session"]["instructions"] = "You are a helpful assistant."
    negotiation = agreeing()

    assert session_of(negotiation.hear(update))["instructions"] == "Be brief."
    given_up = negotiation.hear(update)

    assert given_up == GivenUp("the session does not take our instructions", fatal=True)


def test_a_session_without_turn_detection_is_given_up():
    update = granted()
    update["session"]["audio"]["input"]["turn_detection"] = None
    negotiation = agreeing()
    negotiation.hear(update)

    assert isinstance(negotiation.hear(update), GivenUp)


def test_an_unusable_format_is_given_up():
    update = granted()
    update["session"]["audio"]["input"]["format"] = {"type": "audio/opus"}

    assert isinstance(agreeing().hear(update), GivenUp)


@pytest.mark.parametrize(
    ("code", "fatal"), [("invalid_api_key", True), ("insufficient_quota", True), ("server_error", False)]
)
def test_an_error_in_place_of_a_session_is_the_end(code: str, fatal: bool):
    assert Negotiation(WISH).hear(refusal(None, code)) == GivenUp(
        f"the model refused the session: {code}", fatal=fatal
    )


def test_an_account_error_is_not_repaired():
    assert agreeing().hear(refusal(None, "insufficient_quota")) == GivenUp(
        "the model refused the session: insufficient_quota", fatal=True
    )


def test_the_servers_own_trouble_is_not_our_sessions_fault():
    error = {"type": "error", "error": {"type": "server_error", "code": None, "message": "", "param": None}}

    assert agreeing().hear(error) == GivenUp("the model refused the session: server_error", fatal=False)


def test_an_error_about_something_else_is_not_taken_for_a_refusal():
    assert agreeing().hear(refusal("session.voice", event_id="other")) is None


def test_fatal_codes_may_come_with_their_type():
    assert fatal_code("invalid_request_error.beta_api_shape_disabled")
    assert not fatal_code("rate_limit_exceeded")
