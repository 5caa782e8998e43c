"""What one message of a session tells and a later one leaves out.

The name of a tool comes with the item in which its call begins, and the whole call with the end of
that item; not every server repeats them when the response is over. Which response is outside the
conversation is said when it is created, and not with its audio. An item may be told in both the old
and the new way.
"""

from __future__ import annotations

from assistant.realtime import wire
from assistant.realtime.session import Wire

_TELLING = frozenset(
    {
        "response.created",
        "response.output_item.added",
        "response.output_item.done",
        "response.done",
    }
)


class Memory:
    """What one message tells and a later one leaves out."""

    def __init__(self) -> None:
        self._items: set[str] = set()
        self._tool_names: dict[str, str] = {}
        self._tool_calls: dict[str, list[Wire]] = {}  # by response
        self._out_of_band: set[str] = set()

    def knows_item(self, item_id: str) -> bool:
        """Was this item told before? Some servers tell it in both the old and the new way."""
        known = item_id in self._items
        self._items.add(item_id)
        return known

    def completed(self, message: Wire) -> Wire:
        """The message with what earlier ones have told; `{"type": ""}` for one that is not for the call."""
        if message["type"] in _TELLING:
            self._take(message)
        return {"type": ""} if message.get("response_id") in self._out_of_band else message

    def _take(self, message: Wire) -> None:
        match message["type"]:
            case "response.created" if wire.out_of_band(message):
                self._out_of_band.add(message["response"].get("id"))
            case "response.output_item.added" | "response.output_item.done":
                item = message.get("item") or {}
                if item.get("call_id") and item.get("name"):
                    self._tool_names[item["call_id"]] = item["name"]
                if item.get("type") == "function_call" and message["type"].endswith("done"):
                    self._tool_calls.setdefault(message.get("response_id") or "", []).append(item)
            case "response.done":
                response = message.get("response") or {}
                calls = self._tool_calls.pop(response.get("id") or "", [])
                response["output"] = response.get("output") or calls
                for item in response["output"]:
                    if item.get("type") == "function_call" and not item.get("name"):
                        item["name"] = self._tool_names.get(item.get("call_id"), "")
