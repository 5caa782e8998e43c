"""Lists, fifty a page."""

from __future__ import annotations

from flask import request

PAGE = 50
MOST_PAGES = 1_000_000  # whoever asks for more is given the last there is


def pages_of(total: int) -> int:
    """How many pages so many rows fill; one, when there are none."""
    return max(1, -(-total // PAGE))


def asked_page() -> int:
    """Which page the address names; the first, for what is no number."""
    return min(max(1, request.args.get("page", 1, type=int)), MOST_PAGES)
