"""Scenarios: who rings, what they do, and what should come of it. Read from scenarios/<name>.toml.

    title = "A caller leaves a message"
    time_limit_s = 90                      # the whole scenario; then every caller hangs up
    fault = "quota"                        # optional: how the model's side goes wrong; read by the app alone
    needs = "this and that"                # optional: what it cannot go well without, said when it did not

    [[caller]]
    label = "Ana"                          # shown in front of what happens on this call
    from = "stranger"                      # a made-up number, "owner", or exactly what Twilio would send
    forwarded_from = "owner"               # optional: the owner's phone passed the call on
    starts_after_ms = 0
    steps = [
      { hear = "reply", quiet_ms = 900, within_s = 30 },  # voice since our last word, then that much quiet
      { hear = "reply", saying = "welcome" },             # a line that must come, whatever comes before it
      { hear = "tone", within_s = 30 },                   # the beep of a voicemail
      { say = "message-1" },                              # a line of lines.toml
      { say = "yes", while_asked = "put-down" },          # as long as that is asked; the reply is heard
      { interrupt = "interrupt", after_ms = 1500 },       # a line, so long after the assistant began to speak
      { press = "12#", aloud = true },                    # keys; aloud: their tones are on the line too
      { be_quiet_ms = 3000 },
      { hang_up = true },
      { hear = "end", within_s = 60 },                    # until the other side ends the call
    ]

    [owner]                                # the owner's phone, when it is dialled; see network.OwnerPhone
    kind = "presses-1"

    [expect]                               # of every call; see Expected: what is not named is not checked
    outcome = "message"

A caller may have an `expect` of its own, which goes before that of all.
A wrong scenario is a ScenarioError with the file's name in it.
"""

from __future__ import annotations

import secrets
import tomllib
from dataclasses import dataclass, field, fields
from itertools import cycle
from pathlib import Path
from typing import Any

from assistant.sandbox.caller.network import OwnerPhone
from assistant.sandbox.lines import Line, shipped

SCENARIOS = Path(__file__).parent.parent / "scenarios"
STRANGERS = [f"+120255501{number}" for number in range(10, 100)]
# Shuffled and dealt in turn: two who ring at once are never the same, which would look like a loop.
_dealt = cycle(secrets.SystemRandom().sample(STRANGERS, len(STRANGERS)))

STEP_OPTIONS = {
    "hear": {"quiet_ms", "within_s", "saying"},
    "say": {"while_asked", "quiet_ms", "within_s"},
    "interrupt": {"after_ms", "within_s"},
    "press": {"aloud"},
    "be_quiet_ms": set(),
    "hang_up": set(),
}


class ScenarioError(Exception):
    """No such scenario, or a wrong one."""


@dataclass(frozen=True)
class Step:
    """One thing a caller does. `value`: what the verb is given."""

    verb: str
    value: Any
    quiet_ms: int = 900
    within_s: float = 30.0
    after_ms: int = 1500
    saying: str = ""
    while_asked: str = ""
    aloud: bool = False

    def __str__(self) -> str:
        return f"{self.verb} {self.value}"


@dataclass(frozen=True)
class Expected:
    """What should come of a call. None or empty: not checked.

    tools: ran, in this order, and were not refused; "add_event+" for once or several times in a row.
    refused: tools that were asked for and refused. errors: of all tools that did not do it, in order.
    trust: the highest level the caller reached.
    turns: at least so many of the assistant's. interrupted: so many of its turns were cut off.
    said / not_said: words (any case) that some / none of the assistant's turns hold.
    message: words the message's text must hold. from_withheld: the export shows no number.
    ended_by: who ended the call at the telephone company: caller, app, document.
    recordings: so many voicemails, each fetched and deleted at the telephone company.
    complaints: codes of the telephone company's debugger that belong to this scenario.
    """

    outcome: str | None = None
    ended_because: str | None = None
    ended_by: str | None = None
    tools: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    errors: tuple[str, ...] | None = None
    trust: str | None = None
    turns: int = 0
    interrupted: int | None = None
    said: tuple[str, ...] = ()
    not_said: tuple[str, ...] = ()
    message: tuple[str, ...] = ()
    from_withheld: bool = False
    streams: int | None = None
    recordings: int = 0
    complaints: tuple[int, ...] = ()


@dataclass(frozen=True)
class Caller:
    """One who rings."""

    steps: tuple[Step, ...]
    label: str = "caller"
    from_: str = "stranger"
    forwarded_from: str = ""
    stir_verstat: str = "TN-Validation-Passed-A"
    starts_after_ms: int = 0
    expect: Expected = field(default_factory=Expected)


@dataclass(frozen=True)
class Scenario:
    """A whole scenario."""

    name: str
    title: str
    callers: tuple[Caller, ...]
    owner: OwnerPhone = field(default_factory=OwnerPhone)
    time_limit_s: float = 120.0
    fault: str = ""  # how the model's side goes wrong; the app chooses the model by it, see faults
    needs: str = ""  # what it cannot go well without


def known_scenarios() -> list[str]:
    """The names of all shipped scenarios."""
    return sorted(path.stem for path in SCENARIOS.glob("*.toml"))


def load_scenario(name: str, folder: Path = SCENARIOS) -> Scenario:
    """Read a scenario by name."""
    path = folder / f"{name}.toml"
    if name not in {known.stem for known in folder.glob("*.toml")}:
        raise ScenarioError(f"unknown scenario {name!r}; known: {', '.join(known_scenarios())}")
    try:
        return read_scenario(name, tomllib.loads(path.read_text("utf-8")))
    except (ScenarioError, tomllib.TOMLDecodeError) as error:
        raise ScenarioError(f"{path.name}: {error}") from error


def read_scenario(name: str, table: dict[str, Any]) -> Scenario:
    """A scenario from its TOML table."""
    _only(table, {"title", "caller", "expect", "owner", "time_limit_s", "fault", "needs"}, "the scenario")
    return Scenario(
        name=name,
        title=table.get("title", name),
        callers=tuple(_caller(entry, table.get("expect", {})) for entry in table.get("caller", [])),
        owner=_filled(OwnerPhone, table.get("owner", {})),
        time_limit_s=table.get("time_limit_s", 120.0),
        fault=table.get("fault", ""),
        needs=table.get("needs", ""),
    )


def _caller(table: dict[str, Any], expect_of_all: dict[str, Any]) -> Caller:
    given = {("from_" if key == "from" else key): value for key, value in table.items()}
    steps = tuple(_step(entry) for entry in given.pop("steps", []))
    expect = _filled(Expected, expect_of_all | given.pop("expect", {}))
    caller: Caller = _filled(Caller, given | {"steps": steps, "expect": expect})
    return caller


def _step(table: dict[str, Any]) -> Step:
    verbs = table.keys() & STEP_OPTIONS.keys()
    if len(verbs) != 1:
        raise ScenarioError(f"a step needs one of {', '.join(STEP_OPTIONS)}: {table}")
    verb = verbs.pop()
    _only(table, {verb} | STEP_OPTIONS[verb], f"the step {verb}")
    if verb in ("say", "interrupt"):
        line(table[verb])
    for option in table.keys() & {"saying", "while_asked"}:
        line(table[option], "assistant")
    options = {key: value for key, value in table.items() if key != verb}
    return Step(verb, table[verb], **options)


def _filled(kind: Any, table: dict[str, Any]) -> Any:
    """A dataclass from a TOML table; lists become tuples."""
    _only(table, {entry.name for entry in fields(kind)}, kind.__name__)
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in table.items()})


def _only(table: dict[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(table.keys() - known)
    if unknown:
        raise ScenarioError(f"{where} knows no {', '.join(unknown)}")


def line(line_id: str, speaker: str = "caller") -> Line:
    """A line of that speaker with its sound. Raises ScenarioError."""
    found = shipped().get(line_id)
    if found is None or found.speaker != speaker:
        raise ScenarioError(f"no {speaker}'s line {line_id!r} in lines.toml")
    return found


def number_of(caller: Caller, owner_phone: str) -> str:
    """What Twilio sends as `From`. Strangers differ each time, so that nobody's daily cap is used up."""
    if caller.from_ == "stranger":
        return next(_dealt)
    return owner_phone if caller.from_ == "owner" else caller.from_
