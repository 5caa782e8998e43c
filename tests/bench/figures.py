"""Medians and percentiles of what was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence

MS = 1_000_000  # nanoseconds


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` of all are not above. Infinite when there are none."""
    if not values:
        return float("inf")
    ranked = sorted(values)
    return ranked[max(0, math.ceil(len(ranked) * percent / 100) - 1)]


def median(values: Sequence[float]) -> float:
    """The middle one; of two in the middle the lower."""
    return percentile(values, 50)


def spread(values: Sequence[float]) -> str:
    """From the least to the most, where there are several."""
    return f" ({min(values):.2f} to {max(values):.2f})" if len(values) > 1 else ""
