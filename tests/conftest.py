"""What more than one folder of tests needs."""

from __future__ import annotations

from collections import Counter

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What could not be tried on this machine is said, and not only counted."""
    reasons = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])]
    untried = Counter(
        reason.partition("NOT TRIED: ")[2].rstrip("')") for reason in reasons if "NOT TRIED: " in reason
    )
    for reason, count in untried.items():
        terminalreporter.write_line(f"NOT TRIED: {count} tests, because {reason}.", yellow=True, bold=True)
