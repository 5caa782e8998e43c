"""The shipped sentences and their sound."""

from assistant import audio
from assistant.sandbox import lines
from assistant.sandbox.lines import bare, shipped
from assistant.sandbox.model import mouth
from assistant.sandbox.model.brain import rulebook


def test_every_line_has_a_sound_and_all_together_stay_small() -> None:
    sounds = [line.payload for line in shipped().values()]

    assert min(audio.duration_ms(payload) for payload in sounds) > 300
    assert sum(len(payload) for payload in sounds) < 900 * 1024


def test_there_is_no_sound_without_its_line() -> None:
    files = {path.stem for path in (lines.HERE / "voices").glob("*.ulaw")}

    assert files == set(shipped())


def test_no_two_lines_have_the_same_words() -> None:
    assert len({bare(line.text) for line in shipped().values()}) == len(shipped())


def test_the_rules_name_lines_that_exist() -> None:
    book = rulebook()
    said = [*book["rules"], *book["asked"], book["silent"], book["lost"]]
    spoken = {name for rule in said for part in ("say", "ok", "refused") for name in rule.get(part, [])} - {
        "*"
    }
    heard = {name for rule in book["rules"] for name in rule["heard"]} - {"*"}

    assert {shipped()[name].speaker for name in spoken} == {"assistant"}
    assert {line.line_id for line in lines.spoken_by("caller")} == heard


def test_shipped_sentences_are_spoken_in_their_own_voice() -> None:
    spoken = mouth.speak("This call is answered by an assistant and recorded. How can I help?")

    breath = audio.silence(mouth.BREATH_MS)
    assert spoken == shipped()["disclosure"].payload + breath + shipped()["how-help"].payload


def test_other_sentences_are_murmured_as_long_as_they_are() -> None:
    short, long = (
        mouth.speak("Hello, this is Kim's assistant."),
        mouth.speak("Hello, this is Kim's assistant. " * 4),
    )

    assert 1_000 < audio.duration_ms(short) < 3_000
    assert audio.duration_ms(long) > 3 * audio.duration_ms(short)
    assert audio.level(short) > 1_000


def test_a_text_without_words_is_no_sound() -> None:
    assert mouth.speak(" … ") == b""


def test_the_words_to_say_are_the_quoted_ones_after_the_usual_instructions() -> None:
    usual = 'Be "brief".'

    assert mouth.exact_words(usual + '\n\nSay exactly: "Hello, "Kim" here."', usual) == 'Hello, "Kim" here.'
    assert mouth.exact_words("Say “Goodbye.” now", usual) == "Goodbye."
    assert mouth.exact_words(usual + "\n\nAsk whether the caller is still there.", usual) is None
