"""The dispatcher of tools: who may run what, with which arguments, for how long.

Authority lives here and not in the prompt. The model is only shown the tools its caller may
use, and a call of any other is refused all the same: a caller can talk the model into
anything, and nothing into this.

A tool's arguments are one pydantic class: it makes the schema the model sees and checks what
the model sends. Every outcome, also a refusal or a failure, is data for the model, so that
each call is answered. Tools do not touch the phone; they may ask for it (`then`).

Levels rise only through code: `raise_to_owner` is called where a PIN was compared. What the owner has to
confirm by a key of the telephone is kept here until the key is pressed; the model has no part in that.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any, Generic, TypeVar

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from assistant.calendars.diary import Diary
from assistant.call.events import Then, ThenConfirm
from assistant.errors import AssistantError, CalendarUnavailable, StoreBusy, ToolRefused, UnknownOutcome
from assistant.store.writer import Store
from assistant.trust import Trust

log = logging.getLogger(__name__)

EVERYBODY: frozenset[Trust] = frozenset({"stranger", "known", "owner"})
KNOWN_AND_OWNER: frozenset[Trust] = frozenset({"known", "owner"})
OWNER_ALONE: frozenset[Trust] = frozenset({"owner"})
Within = Callable[[float], AbstractContextManager[Any]]

TIME_LIMIT_S = 4.0  # of every tool, everything included: longer silence is taken for a lost line
# Of that, for the calendar itself. Then 0.2 s are left to write down what it said (bookings.AT_LEAST_S), and
# 0.3 s to keep the wish (passing_on.KEEP_S).
CALENDAR_S = 3.4
ONE_AT_A_TIME = "Another tool waits for a key: one at a time. That key confirms it, any other drops it."
# The codes that mean: the dispatcher did not run it, whatever else was right.
NOT_RUN = frozenset({"unknown_tool", "not_allowed", "bad_arguments", "bad_time", "bad_duration", "too_many"})


def now_utc() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class ToolContext:
    """The call a tool is run in. `caller_number`: E.164, None when withheld.

    tool_call_id: of this run. can_ring_owner: there is a phone of the owner's to put this caller through to.
    tally: what was counted in this call; wishes: what the owner has to read in any message of it (see
    `passing_on`). Both are shared by all its runs.
    """

    call_sid: str
    caller_number: str | None
    trust: Trust
    store: Store
    diary: Diary
    now: Callable[[], datetime] = now_utc
    tool_call_id: str = ""
    can_ring_owner: bool = False
    tally: Counter[str] = field(default_factory=Counter)
    wishes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What came of it. `output`: for the model. `refused`: the dispatcher did not run it.

    `arguments`: as the model gave them.
    """

    output: dict[str, Any]
    then: Then | None = None
    refused: bool = False
    arguments: dict[str, Any] = field(default_factory=dict)


class Arguments(BaseModel):
    """What a tool is called with. Unknown names are refused, numbers given as text are accepted.

    Models fill in what they do not know with null or an empty text: that counts as left out.
    """

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True, str_strip_whitespace=True)

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {name: value for name, value in given.items() if not _blank(value)}


def _blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _lowered(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


AnyCase = BeforeValidator(_lowered)  # for an argument that is one of a few words

A = TypeVar("A", bound=Arguments)


@dataclass(frozen=True, slots=True)
class Tool(Generic[A]):
    """One thing the assistant can do, and for whom.

    `run` may raise ToolRefused (its message is for the model) or any AssistantError. `confirmed`: what is
    done when the caller has pressed the key that a result of `run` asked for (ThenConfirm).
    """

    name: str
    description: str
    arguments: type[A]
    run: Callable[[ToolContext, A], ToolResult]
    levels: frozenset[Trust] = EVERYBODY
    confirmed: Callable[[ToolContext, A], ToolResult] | None = None

    def declared(self) -> dict[str, Any]:
        """The tool as the session shows it to the model."""
        return {
            "type": "function",
            "name": self.name,
            "description": self.description,
            "parameters": _schema(self.arguments),
        }


@cache
def _schema(arguments: type[BaseModel]) -> dict[str, Any]:
    """The class as JSON Schema, without what only takes up the model's context."""
    schema: dict[str, Any] = _untitled(arguments.model_json_schema())
    schema.setdefault("properties", {})
    schema.setdefault("required", [])
    schema.pop("description", None)
    return schema


def _untitled(node: Any) -> Any:
    if isinstance(node, list):
        return [_untitled(one) for one in node]
    if not isinstance(node, dict):
        return node
    # A title is text; a property that is called "title" is an object, and stays.
    return {
        name: _untitled(value)
        for name, value in node.items()
        if not (name == "title" and isinstance(value, str))
    }


class Toolbox:
    """The tools of one call."""

    def __init__(
        self,
        context: ToolContext,
        *,
        within: Within = nullcontext,
        tools: Iterable[Tool[Any]] | None = None,
    ) -> None:
        self._context = context
        self._within = within
        self._tools = {tool.name: tool for tool in (all_tools() if tools is None else tools)}
        self._unconfirmed: dict[str, tuple[Tool[Any], dict[str, Any]]] = {}

    @property
    def trust(self) -> Trust:
        """How far this call's caller is trusted by now."""
        return self._context.trust

    def raise_to_owner(self) -> None:
        """The caller is the owner: they typed the PIN on a call from the owner's number."""
        self._context = replace(self._context, trust="owner")

    def declared(self) -> list[dict[str, Any]]:
        """The schemas of those tools this call's caller may use."""
        return [tool.declared() for tool in self._tools.values() if self._may(tool)]

    def names(self) -> list[str]:
        """Their names."""
        return [tool.name for tool in self._tools.values() if self._may(tool)]

    def _may(self, tool: Tool[Any]) -> bool:
        return self._context.trust in tool.levels

    def run(self, name: str, arguments_json: str, tool_call_id: str = "") -> ToolResult:
        """Run a tool, or say why not. Never raises, takes no longer than the tool may (see `within`)."""
        arguments = _read(arguments_json)
        tool = self._tools.get(name)
        if tool is None:
            result = refusal("unknown_tool", "There is no such tool.")
        elif not self._may(tool):
            result = refusal("not_allowed", "This caller may not do that.")
        elif arguments is None:
            result = refusal("bad_arguments", "The arguments are not a JSON object.")
        else:
            result = self._run(tool, tool.run, arguments, tool_call_id)
            if isinstance(result.then, ThenConfirm):
                self._unconfirmed[tool_call_id] = (tool, arguments)
                if next(iter(self._unconfirmed)) != tool_call_id:  # looked at afterwards: two may ask at once
                    self.drop(tool_call_id)
                    result = refusal("not_available", ONE_AT_A_TIME)
        return self._told(result, tool, arguments or {})

    def confirm(self, tool_call_id: str) -> ToolResult:
        """The caller has pressed the key that this run asked for: do it, once. Never raises."""
        tool, arguments = self._unconfirmed.pop(tool_call_id, (None, {}))
        if tool is None or tool.confirmed is None:
            result = refusal("not_available", "There is nothing that waits for a key.")
        elif not self._may(tool):
            result = refusal("not_allowed", "This caller may not do that.")
        else:
            result = self._run(tool, tool.confirmed, arguments, tool_call_id)
        return self._told(result, tool, arguments)

    def drop(self, tool_call_id: str) -> None:
        """The key that this run asked for will not come."""
        self._unconfirmed.pop(tool_call_id, None)

    def _told(self, result: ToolResult, tool: Tool[Any] | None, arguments: dict[str, Any]) -> ToolResult:
        """The result with its arguments; what was refused gets a line in the log, without words."""
        if not result.output.get("ok"):
            log.warning(
                "%s: tool %s: %s",
                self._context.call_sid,
                tool.name if tool else "(unknown)",
                result.output.get("error"),
            )
        return replace(result, arguments=arguments)

    def _run(
        self,
        tool: Tool[Any],
        run: Callable[[ToolContext, Any], ToolResult],
        given: dict[str, Any],
        tool_call_id: str,
    ) -> ToolResult:
        try:
            arguments = tool.arguments.model_validate(given)
        except ValidationError as error:
            return refusal("bad_arguments", _complaints(error))
        try:
            with self._within(TIME_LIMIT_S):
                return run(replace(self._context, tool_call_id=tool_call_id), arguments)
        except Exception as error:
            return self._failure(tool, error)

    def _failure(self, tool: Tool[Any], error: Exception) -> ToolResult:
        """What went wrong, as the model may know it; the log has the rest."""
        match error:
            case ToolRefused():
                return refusal(error.code, str(error), **error.help_fields)
            case CalendarUnavailable():
                log.warning("%s: the calendar: %s", self._context.call_sid, error)
                return refusal("calendar_unavailable", error.spoken, instead="take_message")
            case UnknownOutcome():
                log.warning("%s: the calendar: %s", self._context.call_sid, error)
                return refusal("unknown_outcome", error.spoken, promise="nothing; the owner will confirm")
            case TimeoutError() | StoreBusy():
                return refusal("timeout", "It took too long, and is not known to have been done.")
            case AssistantError():
                return refusal("failed", error.spoken)
        log.error("%s: tool %s failed", self._context.call_sid, tool.name, exc_info=error)
        return refusal("failed", AssistantError.spoken)


def refusal(code: str, message: str, **help_fields: Any) -> ToolResult:
    """A refusal or failure as data; `refused` for those codes that mean it was not run."""
    output = {"ok": False, "error": code, "message": message, **help_fields}
    return ToolResult(output, refused=code in NOT_RUN)


def _read(arguments_json: str) -> dict[str, Any] | None:
    """The arguments as an object; none at all counts as an empty one."""
    if not arguments_json.strip():
        return {}
    try:
        arguments = orjson.loads(arguments_json)
    except orjson.JSONDecodeError:
        return None
    return arguments if isinstance(arguments, dict) else None


def _complaints(error: ValidationError) -> str:
    """What is wrong with which argument, in one sentence; without the values."""
    found = [
        f"{'.'.join(str(part) for part in one['loc']) or 'arguments'}: {one['msg']}"
        for one in error.errors(include_input=False, include_url=False, include_context=False)
    ]
    return "; ".join(found)[:500]


def all_tools() -> list[Tool[Any]]:
    """Every tool that is built."""
    # The tools import this module for what a tool is.
    from assistant.tools.add_event import ADD_EVENT
    from assistant.tools.cancel_event import CANCEL_EVENT
    from assistant.tools.end_call import END_CALL
    from assistant.tools.find_free_times import FIND_FREE_TIMES
    from assistant.tools.list_events import LIST_EVENTS
    from assistant.tools.list_messages import LIST_MESSAGES
    from assistant.tools.move_event import MOVE_EVENT
    from assistant.tools.take_message import TAKE_MESSAGE
    from assistant.tools.transfer_to_owner import TRANSFER_TO_OWNER

    return [
        TAKE_MESSAGE,
        FIND_FREE_TIMES,
        ADD_EVENT,
        LIST_EVENTS,
        MOVE_EVENT,
        CANCEL_EVENT,
        LIST_MESSAGES,
        TRANSFER_TO_OWNER,
        END_CALL,
    ]
