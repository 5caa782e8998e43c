"""A figure with its bar and aim beside it, and the table of them all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `value` None: it could not be measured, which counts as missed.

    bar: what has to be reached; aim: what we would like, None where the bar is all we ask. Less is better,
    but with `at_least`. how: how it was measured, and what goes with it.
    """

    name: str
    value: float | None
    unit: str
    bar: float
    aim: float | None = None
    how: str = ""
    at_least: bool = False

    @property
    def missed(self) -> bool:
        """The bar is not reached."""
        return not self._reaches(self.bar)

    @property
    def verdict(self) -> str:
        """missed, ok, or aim reached."""
        if self.missed:
            return "MISSED"
        return "aim reached" if self.aim is not None and self._reaches(self.aim) else "ok"

    def _reaches(self, limit: float) -> bool:
        if self.value is None:
            return False
        return self.value >= limit if self.at_least else self.value <= limit

    def cells(self) -> tuple[str, ...]:
        """As the table shows it."""
        sign = "≥" if self.at_least else "≤"
        value = "not measured" if self.value is None else f"{_short(self.value)} {self.unit}".rstrip()
        aim = "" if self.aim is None else f"{sign} {_short(self.aim)}"
        return self.name, value, f"{sign} {_short(self.bar)}", aim, self.verdict, self.how


def _short(number: float) -> str:
    """Three figures are more than this machine can keep apart."""
    places = 0 if abs(number) >= 100 else 2 if abs(number) >= 1 else 3
    return f"{number:.{places}f}".rstrip("0").rstrip(".") if places else f"{number:.0f}"


HEADINGS = ("what", "figure", "bar", "aim", "", "how")


def table(rows: Iterable[Row]) -> str:
    """All rows as lines of text, in columns."""
    lines = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
