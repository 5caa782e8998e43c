"""The shipped sentences and their sound."""

from assistant import audio
from assistant.sandbox import lines
from assistant.sandbox.lines import bare, shipped
from assistant.sandbox.model import mouth
from assistant.sandbox.model.brain import rulebook
from assistant.sandbox.model.times import DAYS, spoken


def test_every_line_has_a_sound_and_all_together_stay_small() -> None:
    sounds = [line.payload for line in shipped().values()]

    assert min(audio.duration_ms(payload) for payload in sounds) > 300
    assert sum(len(payload) for payload in sounds) < 1200 * 1024


def test_there_is_no_sound_without_its_line() -> None:
    files = {path.stem for path in (lines.HERE / "voices").glob("*.ulaw")}

    assert files == set(shipped())


def test_no_two_lines_have_the_same_words() -> None:
    assert len({bare(line.text) for line in shipped().values()}) == len(shipped())


def test_the_rules_name_what_exists() -> None:
    book = rulebook()
    rules = [
        *book["rules"],
        *book["steps"].values(),
        *book["asked"],
        book["silent"],
        book["lost"],
        book["told"],
    ]
    not_said = {"heard", "waiting", "remember", "then_wait_for", "call", "obey", "words"}
    then = [value for rule in rules for name, value in rule.items() if name not in not_said]
    spoken = {name for names in then if isinstance(names, list) for name in names} - {"*"}
    heard = {name for rule in book["rules"] for name in rule["heard"]} - {"*"}

    assert {name for name in then if isinstance(name, str)} == set(book["steps"])
    assert set(book["sentences"]) <= spoken
    assert {shipped()[name].speaker for name in spoken - set(book["sentences"])} == {"assistant"}
    assert {line.line_id for line in lines.spoken_by("caller")} == heard


def test_every_sentence_has_a_voice_on_every_day_at_every_time_that_is_suggested() -> None:
    clocks = [f"{hour:02}:{minute:02}" for hour in range(8, 21) for minute in (0, 15, 30, 45)]
    times = [spoken(day.capitalize(), clock) for day in DAYS for clock in clocks]
    blanks = {"when": times, "events": ["Lunch with Sam, Friday at one"]}

    for sentence in rulebook()["sentences"].values():
        for name, words in blanks.items():
            for filled in words if f"{{{name}}}" in sentence else []:
                assert mouth.knows(sentence.format(**{name: filled})), filled


def test_a_sentence_is_put_together_of_the_longest_shipped_passages() -> None:
    said = mouth.speak("I have Tuesday at ten thirty. Shall I put that down for you?")

    clips = [shipped()[name].payload for name in ("i-have", "tuesday", "at-ten", "thirty", "put-down")]
    joint, breath = audio.silence(mouth.JOINT_MS), audio.silence(mouth.BREATH_MS)
    assert said == joint.join(clips[:4]) + breath + clips[4]


def test_only_unknown_words_are_murmured() -> None:
    lunch, dentist = mouth.speak("You have lunch with Sam."), mouth.speak("You have dentist. Goodbye.")

    assert mouth.knows("You have Lunch with Sam — Friday at one.")
    assert not mouth.knows("You have dentist, Friday at one.")
    assert lunch.endswith(shipped()["lunch"].payload)
    assert dentist.startswith(shipped()["you-have"].payload)
    assert dentist.endswith(shipped()["goodbye"].payload)


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
