"""What the owner's call needs: the PIN its scenario types; and the command for it, where there is none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.whole_call.house import LONGEST_CALL_S, PATIENCE_S, ROOT, House

PIN = "246810"


def command(house: House, *words: str) -> subprocess.Popen[str]:
    """A command of the owner's, while others go on."""
    return subprocess.Popen(
        [sys.executable, "-m", "flask", *words],
        cwd=ROOT, env=house.environ(), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def set_pin(house: House) -> None:
    """Set it, as the owner does."""
    said = command(house, "pin").communicate(f"{PIN}\n", timeout=PATIENCE_S)[0]
    assert said == "The PIN is set.\n"


class WithoutPin:
    """`flask call owner` in a program that has no PIN."""

    def __init__(self, folder: Path) -> None:
        self._house = House(folder / "instance").prefer(disclosure="", greeting="How can I help?").start()
        self._command = command(self._house, "call", "owner")
        self._printed = ""

    def ended(self) -> tuple[int, str]:
        """How the command left, and what it printed."""
        self._printed = self._printed or self._command.communicate(timeout=LONGEST_CALL_S)[0]
        return self._command.returncode, self._printed

    def kill(self) -> None:
        self._command.kill()
        self._command.communicate()
        self._house.kill()
