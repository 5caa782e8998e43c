"""The sandbox's own greeting: its sound is there before the first call, so that this one too begins at once.

Put together from the shipped lines when it is asked for, and as the sandbox's model would speak it.
"""

from __future__ import annotations

from assistant.sandbox.model import mouth


def own(opening: str) -> bytes | None:
    """8 kHz mu-law of the whole opening; None when some of its words are in no shipped line."""
    return mouth.speak(opening) if mouth.knows(opening) else None
