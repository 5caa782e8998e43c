"""The calendar page: the week, what callers are offered, what waits for the owner, what was booked.

page.py      what is shown
buttons.py   what can be pressed
notes.py     what is said then
forms.py     what is typed
week.py      a week as days and lines
known.py     what is known without asking anybody else
dates.py     how days and times are written
"""

from __future__ import annotations

from flask import Flask

from assistant.web.calendars import buttons, page

LARGEST_ID = 2**63 - 1  # of a row in the database


def register(app: Flask) -> None:
    """Put the page and its buttons on the map."""
    app.add_url_rule("/calendar", "calendar", page.calendar)
    booking = f"<int(max={LARGEST_ID}):booking_id>"
    for path, name, view in (
        (f"requests/{booking}/approve", "approve_request", buttons.approve),
        (f"requests/{booking}/decline", "decline_request", buttons.decline),
        (f"requests/{booking}/propose", "propose_time", buttons.propose),
        (f"requests/{booking}/check", "check_booking", buttons.check),
        (f"made/{booking}/undo", "undo_booking", buttons.undo),
        ("events", "add_appointment", buttons.add),
        ("events/remove", "remove_appointment", buttons.remove),
        ("feed", "renew_feed", buttons.renew_feed),
        ("feed/remove", "remove_feed", buttons.remove_feed),
    ):
        app.add_url_rule(f"/calendar/{path}", name, view, methods=["POST"])
