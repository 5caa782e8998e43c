"""The browser phone: the owner rings the assistant from the page, and hears what a caller hears.

    page       the phone itself, and what a scripted caller says
    dialling   may this call be made, and as whom; a one-time token for its stream
    stream     the socket its sound goes through
    handset    the browser as the bridge knows it: a phone like any other

Behind the socket everything is as on a real call: the same bridge, machine, tools, record, costs and caps.
"""

from __future__ import annotations

from flask import Flask

from assistant.web.phone.page import register as register_page
from assistant.web.phone.scripted import bring_callers
from assistant.web.phone.stream import register as register_stream

__all__ = ["bring_callers", "register"]


def register(app: Flask) -> None:
    """Put the phone and its socket on the map. Needs the guard to stand before them."""
    register_page(app)
    register_stream(app)
