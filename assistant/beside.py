"""What runs beside a call and comes back as an event: its tools, what a key confirms, the PIN.

Nobody on the line waits for these. What a tool was asked and what it answered is kept before the call learns
of it, so that a call whose end is kept is complete.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from assistant.call import commands as do
from assistant.call import events as ev
from assistant.keeping import Keeping
from assistant.tools.toolbox import Toolbox

JOIN_S = 8.0  # a tool's own limit and a little: what it keeps belongs to the call


class Beside:
    """The work beside one call. put: gives the call an event. check_pin: see `Bridge`."""

    def __init__(
        self,
        toolbox: Toolbox,
        keeping: Keeping,
        clock: Callable[[], int],
        put: Callable[[ev.Event], None],
        check_pin: Callable[[str], bool | None] | None,
    ) -> None:
        self._toolbox = toolbox
        self._keeping = keeping
        self._clock = clock
        self._put = put
        self._check_pin = check_pin
        self._threads: list[threading.Thread] = []
        self._to_confirm: dict[str, str] = {}  # names of tools that wait for a key, by tool_call_id

    def declared(self) -> do.DeclareTools:
        """The tools the caller may use now."""
        return do.DeclareTools(tuple(self._toolbox.declared()))

    def run_tool(self, command: do.RunTool) -> None:
        self._go(self._tool, command)

    def confirm_tool(self, command: do.ConfirmTool) -> None:
        self._go(self._confirmed_tool, command)

    def drop_tool(self, command: do.DropTool) -> None:
        self._to_confirm.pop(command.tool_call_id, None)
        self._toolbox.drop(command.tool_call_id)

    def check_pin(self, command: do.CheckPin) -> None:
        self._go(self._pin, command)

    def join(self) -> None:
        """Wait for what is at work; not for ever."""
        deadline = time.monotonic() + JOIN_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _go(self, work: Callable[[Any], None], command: do.Command) -> None:
        thread = threading.Thread(target=work, args=(command,), name="tool", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _tool(self, command: do.RunTool) -> None:
        started_ms = self._clock()
        result = self._toolbox.run(command.name, command.arguments, command.tool_call_id)
        if isinstance(result.then, ev.ThenConfirm):
            self._to_confirm[command.tool_call_id] = command.name
        self._keeping.tool_run(command, result, started_ms)
        self._put(ev.ToolFinished(command.tool_call_id, result.output, result.then, at_ms=self._clock()))

    def _confirmed_tool(self, command: do.ConfirmTool) -> None:
        started_ms = self._clock()
        name = self._to_confirm.pop(command.tool_call_id)
        result = self._toolbox.confirm(command.tool_call_id)
        run = do.RunTool(f"{command.tool_call_id}/confirmed", name, "")
        self._keeping.tool_run(run, result, started_ms)
        self._put(ev.ToolConfirmed(command.tool_call_id, name, result.output, at_ms=self._clock()))

    def _pin(self, command: do.CheckPin) -> None:
        granted: bool | None = None
        try:
            granted = self._check_pin is not None and self._check_pin(command.digits)
            if granted:
                # Before the call knows: whatever it asks for then is the owner's.
                self._toolbox.raise_to_owner()
        finally:
            self._put(ev.PinChecked(granted, at_ms=self._clock()))
