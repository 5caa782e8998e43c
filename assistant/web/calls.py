"""The page of one call: what they want, what was said, what was done, and what it cost.

The sound is `sound`'s, the files to take away are `takeaway`'s; both are put on the map here.
"""

from __future__ import annotations

from flask import Flask, abort, render_template
from flask.typing import ResponseReturnValue

from assistant.store import delays, inbox, one_call
from assistant.store.export import Row
from assistant.web import deeds, figures, sound, takeaway
from assistant.web.calendars.dates import Dates
from assistant.web.inbox import words
from assistant.web.live import in_order
from assistant.web.parts import parts

# Where an appointment stands, for the owner.
STANDING = {
    "requested": "waits for your answer",
    "proposed": "you proposed this time",
    "unsure": "not sure that it was written down",
    "booked": "in the calendar",
    "declined": "declined",
    "cancelled": "cancelled",
}


def register(app: Flask) -> None:
    """Put the call's page, its sound and its files on the map."""
    app.add_url_rule("/calls/<call_sid>", "call", call)
    sound.register(app)
    takeaway.register(app)


def call(call_sid: str) -> ResponseReturnValue:
    """The page of one call. To open it is to have read it."""
    store = parts().store
    found = store.read(one_call.look_up, call_sid)
    if found is None:
        abort(404, sound.GONE)
    if found.state == "unread" and found.record["ended_at"] is not None:
        store.put(inbox.seen, call_sid)
    show = words()
    return render_template(
        "call.html",
        call=found.record,
        found=found,
        lines=_lines(found),
        recordings=sound.recordings_of(found.record),
        standing=STANDING,
        tell=deeds,
        in_short=figures.in_short(found.record, show),
        figures=figures.table(found.record, show),
        lately=store.read(delays.lately, show.now),
        show=show,
        dates=Dates(show.zone.key, str(show.locale), show.now),
    )


def _lines(found: one_call.OneCall) -> list[Row]:
    """What was said, and between it how the owner stepped in."""
    turns = [{**turn, "what": "turn"} for turn in found.record["turns"]]
    return in_order(turns + [{**step, "what": "step"} for step in found.step_ins])
