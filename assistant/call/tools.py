"""Tool runs of one call: every call answered exactly once, whatever happens meanwhile.

A tool runs beside the call and may finish at any time, also after the caller has gone on speaking,
or after the session that asked for it is lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from assistant.call.commands import AnswerTool, Command, ReportTool, RunTool
from assistant.call.events import ToolCall, ToolConfirmed, ToolFinished


@dataclass(slots=True)
class ToolRun:
    """A tool at work.

    spoke: the response that called it said something itself. overtaken: the caller has begun to speak since.
    """

    name: str
    epoch: int
    spoke: bool
    overtaken: bool


@dataclass(slots=True)
class ToolRuns:
    """Which tools are running. `epoch`: the model session that would get an answer now."""

    epoch: int = 0
    _seen: set[str] = field(default_factory=set)
    _runs: dict[str, ToolRun] = field(default_factory=dict)
    _confirmed: set[str] = field(default_factory=set)  # at work once more, as the caller wanted by key
    _put_off: list[Command] = field(default_factory=list)

    @property
    def running(self) -> bool:
        return bool(self._runs or self._confirmed)

    def run(self, calls: Iterable[ToolCall], *, spoke: bool, overtaken: bool) -> list[Command]:
        """Start the tools of one response; a call seen before is not run again. See `ToolRun`."""
        commands: list[Command] = []
        for call in calls:
            if call.tool_call_id not in self._seen:
                self._seen.add(call.tool_call_id)
                self._runs[call.tool_call_id] = ToolRun(call.name, self.epoch, spoke, overtaken)
                commands.append(RunTool(call.tool_call_id, call.name, call.arguments))
        return commands

    def caller_began(self) -> None:
        """The caller speaks: what running tools wish for the call may no longer be wanted."""
        for run in self._runs.values():
            run.overtaken = True

    def at_work(self, tool_call_id: str) -> ToolRun | None:
        """The tool of that call; None when it has been answered already, or was never called."""
        return self._runs.get(tool_call_id)

    def finished(self, event: ToolFinished) -> list[Command]:
        """The answer for the model; one that a lost session asked for becomes a note for the new one."""
        run = self._runs.pop(event.tool_call_id, None)
        if run is None:
            return []
        if run.epoch == self.epoch:
            return [AnswerTool(event.tool_call_id, event.output)]
        return [ReportTool(run.name, event.output)]

    def confirm(self, tool_call_id: str) -> None:
        """The caller has confirmed what this one asked for: it is at work again."""
        self._confirmed.add(tool_call_id)

    def awaits(self, event: ToolConfirmed) -> bool:
        """Has the caller confirmed it, and is this the first answer?"""
        return event.tool_call_id in self._confirmed

    def report(self, event: ToolConfirmed) -> list[Command]:
        """What came of it, for whichever session there is: none has called it."""
        self._confirmed.discard(event.tool_call_id)
        return [ReportTool(event.name, event.output, confirmed=True)]

    def put_off(self, event: ToolFinished | ToolConfirmed) -> None:
        """There is no session to answer just now: keep it for the next one."""
        self._put_off += self.report(event) if isinstance(event, ToolConfirmed) else self.finished(event)

    def put_off_answers(self) -> list[Command]:
        """What finished while there was no session."""
        answers, self._put_off = self._put_off, []
        return answers
