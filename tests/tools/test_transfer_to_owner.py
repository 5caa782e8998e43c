"""Who may have the owner's phone rung, and how often."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from assistant.call.events import ThenTransfer
from assistant.tools.toolbox import Toolbox, ToolContext, ToolResult
from assistant.trust import Trust

NOTHING: Any = None
WISH = '{"reason": "Ana says that the boiler is leaking."}'


def toolbox(trust: Trust, *, can_ring_owner: bool = True) -> Toolbox:
    context = ToolContext("CA1", None, trust, NOTHING, NOTHING)
    return Toolbox(replace(context, can_ring_owner=can_ring_owner))


def ring(tools: Toolbox) -> ToolResult:
    return tools.run("transfer_to_owner", WISH)


@pytest.mark.parametrize("trust", ["stranger", "known"])
def test_the_owner_is_rung_and_told_why(trust: Trust):
    assert ring(toolbox(trust)).then == ThenTransfer("Ana says that the boiler is leaking.")


def test_a_stranger_has_the_owner_rung_once_a_call():
    tools = toolbox("stranger")
    ring(tools)
    again = ring(tools)

    assert again.output["error"] == "not_allowed"
    assert again.refused
    assert again.then is None


def test_somebody_known_may_try_again():
    tools = toolbox("known")
    ring(tools)

    assert ring(tools).then is not None


def test_the_owner_does_not_ring_the_owner():
    tools = toolbox("owner")

    assert "transfer_to_owner" not in tools.names()
    assert ring(tools).output["error"] == "not_allowed"


def test_without_a_phone_of_the_owners_it_is_not_available():
    refused = ring(toolbox("stranger", can_ring_owner=False))

    assert refused.output["error"] == "not_available"
    assert refused.then is None


def test_no_reason_is_needed_and_a_long_one_is_refused():
    assert toolbox("stranger").run("transfer_to_owner", "{}").then == ThenTransfer("")
    assert toolbox("stranger").run("transfer_to_owner", '{"reason": "%s"}' % ("x" * 301)).refused
