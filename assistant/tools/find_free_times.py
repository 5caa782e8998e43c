"""When the owner has time: whole free spans, and a few of them in words.

A stranger learns as little as an appointment needs: half hours that are free, for three questions a call, and
never what the rest of the time is taken by. Nothing of an event comes near this answer.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from assistant.calendars.events import Deadline
from assistant.calendars.outlook import Offer
from assistant.errors import CalendarUnavailable, ToolRefused
from assistant.tools.passing_on import passed_on
from assistant.tools.speech import choices, one_of, stretch
from assistant.tools.toolbox import CALENDAR_S, AnyCase, Arguments, Tool, ToolContext, ToolResult
from assistant.tools.wishes import DAY, WEEKDAY, Asking, Day, Minutes, bookable, read_day, read_length

STRANGERS_QUESTIONS = 3
STRANGERS_DAYS = 14
LATER_DAYS = 14  # where is looked when nothing is free in the days that were asked for


class Question(Arguments):
    date: Day | None = Field(None, description=f"The first day, {DAY} Today if left out.")
    days: int = Field(7, ge=1, le=31, description=f"How many days; at most {STRANGERS_DAYS} for strangers.")
    part_of_day: Annotated[Literal["any", "morning", "afternoon", "evening"], AnyCase] = "any"
    duration_minutes: Minutes | None = Field(
        None, description="How long, 5 to 240 minutes; the usual length if left out."
    )
    weekday: str = Field("", description=WEEKDAY)


def find_free_times(context: ToolContext, question: Question) -> ToolResult:
    """What is offered to this caller now."""
    held, rules = context.diary.rules(context.trust)
    asking = Asking(rules, context.now(), context.trust)
    length = read_length(question.duration_minutes, held.event_minutes)
    _check_days(question, context)
    day = asking.today
    if question.date is not None:
        day = read_day(question.date, question.weekday, asking)
    bookable(day, asking)
    _count(context)
    deadline = Deadline(CALENDAR_S)

    def offered(first: date, days: int) -> Offer:
        return context.diary.offer(
            context.trust, first=first, days=days, part=question.part_of_day, length=length, deadline=deadline
        )

    later: Offer | None = None
    after = day + timedelta(days=question.days)
    try:
        offer = offered(day, question.days)
        if not offer.spans and after <= asking.last_day:
            later = offered(after, LATER_DAYS)
    except CalendarUnavailable as error:
        context.tally["questions"] -= 1  # nothing was learned by it
        if context.trust == "owner":
            raise
        raise passed_on(context, error, _wish(question, day)) from error
    return ToolResult({**_answer(offer, later), "today": asking.today.isoformat()})


def _wish(question: Question, day: date) -> str:
    """What the caller asked for, as far as it is known, for the owner to read."""
    last = day + timedelta(days=question.days - 1)
    days = f"{day.isoformat()}" if day == last else f"{day.isoformat()} to {last.isoformat()}"
    part = "" if question.part_of_day == "any" else f", in the {question.part_of_day}"
    return f"Would like an appointment ({days}{part})."


def _check_days(question: Question, context: ToolContext) -> None:
    if context.trust == "stranger" and question.days > STRANGERS_DAYS:
        raise ToolRefused("bad_arguments", f"days: at most {STRANGERS_DAYS} for this caller")


def _count(context: ToolContext) -> None:
    """One more question of this call; a stranger's fourth is refused."""
    context.tally["questions"] += 1
    if context.trust == "stranger" and context.tally["questions"] > STRANGERS_QUESTIONS:
        raise ToolRefused(
            "too_many", "That was the last question about free times in this call. Offer to take a message."
        )


def _answer(offer: Offer, later: Offer | None) -> dict[str, Any]:
    suggestions = choices(offer.starts, offer.zone)
    answer = {
        "ok": True,
        "timezone": offer.zone.key,
        "duration_minutes": int(offer.length.total_seconds() // 60),
        "spans": [stretch(span, offer.zone) for span in offer.spans],
        "suggestions": suggestions,
    }
    if suggestions:
        return {**answer, "say": f"Free is, among others: {one_of(suggestions)}."}
    if later is None or not later.starts:
        return {**answer, "say": "There is no free time then. Offer to take a message with the wish."}
    others = choices(later.starts, later.zone)
    return {**answer, "later": others, "say": f"There is no free time then. Later there is {one_of(others)}."}


FIND_FREE_TIMES = Tool(
    name="find_free_times",
    description=(
        "When an appointment is possible. Ask it before you name any time; offer two or three of its "
        "suggestions, and let the caller choose. A stranger may ask three times a call."
    ),
    arguments=Question,
    run=find_free_times,
)
