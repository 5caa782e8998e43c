"""The README's tables say what the code does: settings, preferences, commands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from assistant.config import ROOT, Settings
from assistant.store import preferences

README = (ROOT / "README.md").read_text("utf-8")


def table(heading: str) -> dict[str, list[str]]:
    """The first table under that heading: what stands in backticks first -> the other columns."""
    section = re.split(r"^## ", README.split(f"\n## {heading}\n")[1], flags=re.M)[0]
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in section.splitlines() if line.startswith("| `")]
    return {row[0].strip().strip("`"): [cell.strip().strip("`") for cell in row[1:]] for row in rows}


def shown(default: Any) -> str:
    """A setting's default as the README shows it: a path relative to the checkout, a secret that is none."""
    if isinstance(default, SecretStr):
        return default.get_secret_value()
    if isinstance(default, Path):
        return str(default.relative_to(ROOT))
    return str(default)


def test_every_setting_is_explained_with_its_default():
    defaults = Settings()

    assert {name: cells[0] for name, cells in table("Settings").items()} == {
        name.upper(): shown(getattr(defaults, name)) for name in Settings.model_fields
    }


def test_the_example_file_has_every_setting_and_only_those():
    named = re.findall(r"^#?([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text("utf-8"), re.M)
    defaults = {name: cells[0] for name, cells in table("Settings").items()}

    assert {name: text.rstrip("/") for name, text in named} == defaults


def test_every_preference_is_explained_with_its_default():
    defaults = preferences.Preferences()
    in_code = {name: preferences.shown(getattr(defaults, name)) for name in preferences.NAMES}
    in_readme = {name: cells[0] for name, cells in table("Preferences").items()}

    assert in_readme | {"timezone": in_code["timezone"]} == in_code


def test_every_command_is_explained(tmp_path: Path):
    environ = {"PATH": os.environ["PATH"], "INSTANCE_PATH": str(tmp_path), "OPENAI_API_KEY": ""}
    command = [sys.executable, "-m", "flask", "--help"]
    said = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60)
    listed = set(re.findall(r"^  (\w+)", said.stdout.partition("Commands:")[2], re.M))
    of_libraries = {"limiter", "routes", "run", "shell"}
    explained = {name.split()[1] for name in table("Commands") if name.startswith("flask ")}

    assert explained == listed - of_libraries, said.stderr


def test_every_make_target_is_explained():
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.M)
    assert phony is not None
    explained = {name.split()[1] for name in table("Commands") if name.startswith("make ")}

    assert explained == set(phony[1].split())


def test_every_scenario_is_explained():
    shipped = {path.stem for path in (ROOT / "assistant/sandbox/scenarios").glob("*.toml")}

    assert set(table("Try it with no keys")) == shipped


def test_every_link_inside_leads_somewhere():
    headings = re.findall(r"^#+ (.*)$", README, re.M)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}

    assert set(re.findall(r"\]\(#([^)]*)\)", README)) <= anchors
