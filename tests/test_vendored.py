"""Other people's files are what they were when they were taken, and say whose they are."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = [ROOT / "static/vendor", ROOT / "tests/browser/vendor"]
PAPERS = {"README.md", "SHA256SUMS"}


def sums(folder: Path) -> dict[str, str]:
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    return {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}


def theirs(folder: Path) -> list[Path]:
    """Their scripts and styles."""
    return [file for file in folder.iterdir() if file.suffix in (".js", ".css")]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
def test_every_file_is_listed_and_unchanged(folder: Path):
    there = {file.name: file for file in folder.iterdir() if file.name not in PAPERS}

    found = {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in there.items()}
    assert found == sums(folder)
    assert theirs(folder)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
def test_every_script_and_style_has_its_licence_beside_it_and_is_named_in_the_readme(folder: Path):
    readme = (folder / "README.md").read_text()
    for file in theirs(folder):
        name, version = file.stem.split("-")[:2]
        licence = folder / f"{name}-LICENSE"
        assert licence.read_text().strip(), licence
        (line,) = [line for line in readme.splitlines() if f"`{file.name}`" in line]
        assert f" {version}" in line, line
        assert f"`{licence.name}`" in line, line


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
def test_nothing_points_at_a_file_that_is_not_here(folder: Path):
    for file in theirs(folder):
        assert "sourceMappingURL" not in file.read_text("utf-8"), file


def test_what_style_css_stands_on_is_what_the_pages_fetch_early():
    """The two must name the same address: else Pico is fetched twice, and once too late."""
    style = (ROOT / "static/style.css").read_text()
    base = (ROOT / "templates/base.html").read_text()
    (pico,) = [file.name for file in theirs(FOLDERS[0]) if file.name.startswith("pico-")]

    assert f'@import url("vendor/{pico}") layer(pico);' in style
    assert f"filename='vendor/{pico}'" in base
