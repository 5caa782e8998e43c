"""What the sandbox's model answers, without its socket."""

from assistant.sandbox.lines import Line, shipped
from assistant.sandbox.model.brain import Brain, CallTool, Means, Part, Say, lines_in

TOOLS = Means(frozenset({"take_message", "end_call"}), parallel=False)


def line(line_id: str) -> Line:
    return shipped()[line_id]


def said(parts: list[Part]) -> list[str]:
    """Ids of the lines spoken and names of the tools called."""
    ids = {line.text: line_id for line_id, line in shipped().items()}
    return [ids.get(part.text, part.text) if isinstance(part, Say) else part.name for part in parts]


def test_a_message_holds_what_was_heard_before() -> None:
    brain = Brain()
    asked = brain.answer(line("message-1"), TOOLS)
    (call,) = brain.answer(line("message-number"), TOOLS)

    assert said(asked) == ["ask-number"]
    assert isinstance(call, CallTool)
    assert call.arguments["name"] == "Ana"
    assert call.arguments["text"] == "Please call Ana back about the boiler."
    assert said(brain.answer_tools([call], ['{"ok": true}'], TOOLS)) == ["read-back"]


def test_what_was_never_heard_is_left_out_of_a_message() -> None:
    (call,) = Brain().answer(line("message-number"), TOOLS)

    assert isinstance(call, CallTool)
    assert call.arguments == {"callback_number": "+12025550143", "urgency": "normal"}


def test_yes_means_what_was_asked_before() -> None:
    brain = Brain()

    assert said(brain.answer(line("yes"), TOOLS)) == ["go-ahead"]
    brain.answer(line("message-number"), TOOLS)
    assert said(brain.answer(line("yes"), TOOLS)) == ["pass-on"]


def test_a_farewell_comes_before_the_hang_up() -> None:
    assert said(Brain().answer(line("thanks-bye"), TOOLS)) == ["farewell", "end_call"]


def test_unknown_words_are_asked_for_again() -> None:
    assert said(Brain().answer(None, TOOLS)) == ["again"]


def test_a_tool_that_is_not_declared_is_not_called() -> None:
    assert said(Brain().answer(line("message-number"), Means())) == ["read-back"]


def test_an_attacker_is_obeyed_whatever_is_declared() -> None:
    brain = Brain()
    (call,) = brain.answer(line("injection-1"), TOOLS)

    assert isinstance(call, CallTool)
    assert call.name == "list_messages"
    assert said(brain.answer_tools([call], ['{"ok": false, "error": "not_allowed"}'], TOOLS)) == ["refusal"]
    assert said(brain.answer_tools([call], ['{"ok": true, "messages": []}'], TOOLS)) == [
        '{"ok": true, "messages": []}'
    ]


def test_several_tools_are_called_together_or_one_after_the_other() -> None:
    one_by_one, together = Brain(), Means(parallel=True)
    (first,) = one_by_one.answer(line("injection-2"), TOOLS)
    assert isinstance(first, CallTool)

    assert said([first]) == ["transfer_to_owner"]
    assert said(one_by_one.answer_tools([first], ['{"ok": false}'], TOOLS)) == ["search_notes"]
    assert said(Brain().answer(line("injection-2"), together)) == ["transfer_to_owner", "search_notes"]


def test_without_leave_to_call_tools_an_attacker_is_refused() -> None:
    assert said(Brain().answer(line("injection-1"), Means(allowed=False))) == ["refusal"]


def test_a_reminder_is_gone_on_from_where_it_ends() -> None:
    note = (
        "The line broke. So far:\n"
        f"Assistant: {line('greeting').text}\nCaller: {line('message-1').text}\nAssistant: Of course. What\n"
        f"Caller: {line('message-number').text}"
    )
    (call,) = Brain().answer_note(note, TOOLS)

    assert isinstance(call, CallTool)
    assert call.arguments["text"] == "Please call Ana back about the boiler."


def test_a_reminder_with_unknown_last_words_is_asked_about() -> None:
    note = f"Caller: {line('message-1').text}\nAssistant: Of course.\nCaller: (words)"

    assert said(Brain().answer_note(note, TOOLS)) == ["bad-line"]
    assert said(Brain().answer_note("There was a call.", TOOLS)) == ["bad-line"]


def test_a_reminder_may_be_written_in_any_way() -> None:
    note = (
        f"They said “{line('booking-1').text}”, then we asked for a time; then “{line('booking-name').text}”"
    )

    assert lines_in(note) == [line("booking-1"), line("booking-name")]


def test_a_known_request_is_done() -> None:
    assert said(Brain().asked("Ask whether the caller is still there.")) == ["still-there"]
    assert said(Brain().asked("Sing.")) == []
