"""The calendar page: the week, what callers are offered, what waits for the owner, what was booked.

page.py      what is shown
buttons.py   what can be pressed, and what is said then
forms.py     what is typed
week.py      a week as days and lines
dates.py     how days and times are written
"""

from __future__ import annotations

from flask import Flask

from assistant.web.calendars import buttons, page


def register(app: Flask) -> None:
    """Put the page and its buttons on the map."""
    app.add_url_rule("/calendar", "calendar", page.calendar)
    for path, name, view in (
        ("requests/<int:booking_id>/approve", "approve_request", buttons.approve),
        ("requests/<int:booking_id>/decline", "decline_request", buttons.decline),
        ("requests/<int:booking_id>/propose", "propose_time", buttons.propose),
        ("requests/<int:booking_id>/check", "check_booking", buttons.check),
        ("made/<int:booking_id>/undo", "undo_booking", buttons.undo),
        ("events", "add_appointment", buttons.add),
        ("events/remove", "remove_appointment", buttons.remove),
        ("feed", "renew_feed", buttons.renew_feed),
        ("feed/remove", "remove_feed", buttons.remove_feed),
    ):
        app.add_url_rule(f"/calendar/{path}", name, view, methods=["POST"])
