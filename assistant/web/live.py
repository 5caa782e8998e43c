"""Running calls, told to the pages that show them: Server-Sent Events.

A stream tells what its page lacks and then whatever comes, as the HTML that the page itself is made of. The
lines of a call come with their `rev` as the event's id, and are always read from the store, from above the
last one that this stream has told (see `store.news`); what wakes the stream says only that it is worth
looking. So a connection may be cut anywhere: the next one begins with `Last-Event-ID`, or with the `after`
that the page was made with, and nothing is lost or told twice.

    event: line     a turn, a tool run or a step-in; id: its rev
    event: state    how the call stands: with whom, for how long, at what cost
    event: banner   the calls on the line, for the page's frame
    event: over     the call has ended and all of it is told: the page closes the stream
    event: beat     every BEAT_S, so that each side notices when the other is gone

A stream holds one greenlet and no thread: the pool is asked for a moment when there is something to look at.
The login is looked at again as often, so a browser that was logged out elsewhere is told no more.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from flask import Flask, Response, abort, current_app, request, stream_with_context
from flask.typing import ResponseReturnValue
from flask_login import current_user

from assistant.errors import AssistantError
from assistant.live_calls import RunningCall
from assistant.store import Database, logins, news
from assistant.store.news import News
from assistant.web import deeds
from assistant.web.inbox import words
from assistant.web.parts import parts
from assistant.web.words import Words

log = logging.getLogger(__name__)

BEAT_S = 15.0  # a browser that has not heard of us for longer than two of them asks anew
RETRY_MS = 1000  # how long a browser waits before it comes back
LONGEST_REV = 18  # digits; SQLite's own limit is just above

TEMPLATES = {"turn": "_turn.html", "tool": "_live_tool.html", "step": "_live_step.html"}


def register(app: Flask) -> None:
    """Put both streams on the map, and what the pages show at first into the templates."""
    app.add_url_rule("/calls/<call_sid>/live", "live", live)
    app.add_url_rule("/live", "live_calls", live_calls)
    app.jinja_env.globals.update(running_calls=banner, live_panel=panel, deed_of=deeds.deed)


# --- what the pages show ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class State:
    """How a call stands.

    name: talking, ringing_owner, leaving (the caller is gone), away (the assistant has no part in it), over.
    """

    name: str
    cost_usd: float = 0.0
    clock_ms: int | None = None

    @property
    def clock(self) -> str:
        """How long it has been going on, as m:ss."""
        return Words.length((self.clock_ms or 0) // 1000)


@dataclass(frozen=True, slots=True)
class Panel:
    """What `_live_panel.html` needs. lines: as they are read. rev: what the stream has to begin after."""

    call: dict[str, Any]
    lines: list[dict[str, Any]]
    rev: int
    state: State

    @staticmethod
    def template(line: dict[str, Any]) -> str:
        """What shows a line, here and in the stream."""
        return TEMPLATES[str(line["what"])]


@dataclass(frozen=True, slots=True)
class Banner:
    """The calls on the line. `mark`: another one whenever one began or ended since."""

    calls: list[dict[str, Any]]
    mark: str


def panel(call_sid: str) -> Panel | None:
    """The live part of a call's page; None when the call is over, or is none."""
    found, over = look_at(call_sid)
    if found is None or over:
        return None
    return Panel(found.call, in_order(found.lines), found.rev, state_of(call_sid))


def banner(besides: str | None = None, show: Words | None = None) -> Banner:
    """The calls on the line, the oldest first, but for the one whose page asks."""
    everything = parts()
    mark = everything.live.mark  # before looking: what changes meanwhile is told again
    running = {
        call.call_sid: _state(call)
        for call in everything.live_calls.running()
        if not call.caller_gone and call.call_sid != besides
    }
    if not running:
        return Banner([], mark)
    show = show or words()
    facts = everything.store.read(news.facts, list(running))
    calls = [
        {"call_sid": call_sid, "who": show.who(facts[call_sid]), "state": state}
        for call_sid, state in running.items()
        if call_sid in facts
    ]
    return Banner(calls, mark)


def look_at(call_sid: str, rev: int = 0) -> tuple[News | None, bool]:
    """What was kept of a call above `rev`, and whether that is all: nothing more is to come.

    The assistant closes its books behind the last words. A call that it never had, or that a crash has cut,
    has no books: there the end is the end, as long as nobody was serving it before we looked.
    """
    served = parts().live_calls.has(call_sid)
    found = parts().store.read(news.since, call_sid, rev)
    return found, found is None or (found.ended and (found.accounted or not served))


def state_of(call_sid: str) -> State:
    """How a call stands that is not over."""
    call = running_call(call_sid)
    return _state(call) if call else State("away")


def running_call(call_sid: str) -> RunningCall | None:
    """The call as the assistant has it; None when it has not."""
    return next((call for call in parts().live_calls.running() if call.call_sid == call_sid), None)


def _state(call: RunningCall) -> State:
    return State("leaving" if call.caller_gone else call.state, round(call.cost_usd, 4), call.clock())


def in_order(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines of a call as they are read: turns in speaking order, what was done between them by its time.

    static/live.js puts a line that comes later to the same place.
    """
    turns = sorted((line for line in lines if line["what"] == "turn"), key=lambda turn: turn["n"])
    done = sorted((line for line in lines if line["what"] != "turn"), key=at_ms)
    ordered: list[dict[str, Any]] = []
    for turn in turns:
        while done and at_ms(done[0]) < turn["started_ms"]:
            ordered.append(done.pop(0))
        ordered.append(turn)
    return ordered + done


def at_ms(line: dict[str, Any]) -> int:
    """When it was said or done, in the call's own time."""
    return int(line["at_ms"] if line["what"] == "step" else line["started_ms"])


# --- the streams ------------------------------------------------------------------


def live(call_sid: str) -> ResponseReturnValue:
    """What is said on a call, while it is said; and the banner, since a page has one stream."""
    if parts().store.read(news.since, call_sid, _after()) is None:
        abort(404)
    return _answer(_Stream(call_sid, _after()))


def live_calls() -> ResponseReturnValue:
    """Which calls are on the line."""
    return _answer(_Stream())


def _after() -> int:
    """How far the page has got: what the browser heard last, else what the page was made with."""
    asked = request.headers.get("Last-Event-ID") or request.args.get("after", "")
    return int(asked) if re.fullmatch(rf"[0-9]{{1,{LONGEST_REV}}}", asked) else 0


def _answer(stream: _Stream) -> Response:
    response = Response(stream_with_context(stream.tell()), mimetype="text/event-stream")
    response.headers["X-Accel-Buffering"] = "no"  # a proxy that gathers would hold back what is being said
    return response


class _Stream:
    """One page's stream: of one call and the banner, or of the banner alone."""

    def __init__(self, call_sid: str | None = None, after: int = 0) -> None:
        self.call_sid = call_sid
        self.rev = after
        self.told: dict[str, object] = {}  # what was last told of what is told again only when it is another
        self.login_id = current_user.get_id()
        self.show = words()

    def tell(self) -> Iterator[str]:
        """Everything the page lacks, then everything that comes; ends with the call, or with the page."""
        # First of all it listens, then it looks: what comes in between is looked at twice, and told once.
        watcher = parts().live.watch(self.call_sid)
        try:
            yield f"retry: {RETRY_MS}\n\n"
            login_seen_at = monotonic()
            while not watcher.closed:
                events, over = self._look()
                yield from events
                if over:
                    return
                if watcher.next(BEAT_S) is None and not watcher.closed:
                    yield event("beat", ".")
                if monotonic() - login_seen_at >= BEAT_S:  # on a lively call there may be no beat
                    if not parts().store.read(_is_logged_in, self.login_id):
                        return
                    login_seen_at = monotonic()
        except AssistantError as error:
            log.warning("a live page has to ask anew: %s", type(error).__name__)
        finally:
            watcher.close()

    def _look(self) -> tuple[list[str], bool]:
        """What is new, and whether that was the last of the call."""
        events, over = self._look_at(self.call_sid) if self.call_sid else ([], False)
        now = banner(self.call_sid, self.show)
        events += self._when_new(
            "banner", (now.mark, [(call["who"], call["state"].name) for call in now.calls]), now
        )
        if over:
            events.append(event("over", self._html("_live_over.html", call_sid=self.call_sid)))
        return events, over

    def _look_at(self, call_sid: str) -> tuple[list[str], bool]:
        found, over = look_at(call_sid, self.rev)
        if found is None:  # the owner has deleted it, here or elsewhere
            return [], True
        events = [event("line", self._line(line, found.call), line["rev"]) for line in found.lines]
        self.rev = found.rev
        now = Panel(found.call, [], found.rev, State("over") if over else state_of(call_sid))
        events += self._when_new("state", (now.state.name, now.state.cost_usd, now.call["trust"]), now)
        return events, over

    def _when_new(self, name: str, seen: object, now: object) -> list[str]:
        if self.told.get(name) == seen:
            return []
        self.told[name] = seen
        return [event(name, self._html(f"_live_{name}_now.html", now=now))]

    def _line(self, line: dict[str, Any], call: dict[str, Any]) -> str:
        return self._html(Panel.template(line), turn=line, run=line, step=line, call=call)

    def _html(self, template: str, **values: Any) -> str:
        # Not `render_template`: what the frame asks for on every page is not asked for every line.
        return current_app.jinja_env.get_template(template).render(show=self.show, **values)


def _is_logged_in(db: Database, login_id: str) -> bool:
    return logins.get(db, login_id, now=datetime.now(UTC)) is not None


def event(name: str, data: str, rev: int | None = None) -> str:
    """One event as it is written."""
    head = f"event: {name}\n" if rev is None else f"id: {rev}\nevent: {name}\n"
    return head + "".join(f"data: {line}\n" for line in re.split(r"\r\n|\r|\n", data)) + "\n"
