# One word for each thing you can do here. On a fresh machine `run`, `call`, `test` and `check` first
# make .venv and install into it; later they install only what requirements*.txt have changed.

SCENARIO ?= message
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: run call test check bench

run: .venv/installed
	@exec $(BIN)/python app.py

call: .venv/installed
	@exec $(BIN)/flask call "$(SCENARIO)"

# Whole calls run in real time and by themselves, so that what they measure is the program.
test: .venv/installed-dev
	@$(BIN)/python -m pytest -n 3 --dist loadfile --ignore=tests/whole_call
	@exec $(BIN)/python -m pytest tests/whole_call

check: .venv/installed-dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

bench: .venv/installed-dev
	@exec $(BIN)/python -m tests.bench

.venv/installed: requirements.txt | $(BIN)/python
	@echo "Installing what Afterbeep needs (once; about a minute) ..."
	@$(INSTALL) -r requirements.txt
	@touch $@

.venv/installed-dev: requirements-dev.txt .venv/installed
	@echo "Installing what its tests need ..."
	@$(INSTALL) -r requirements-dev.txt
	@touch $@

# The first Python here that is new enough; PYTHON=/path/to/python chooses another.
# A half-made .venv (a machine without venv's own parts) is removed, or the next `make` would take it for whole.
$(BIN)/python:
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	    "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	    "$$python" -m venv .venv && exit 0; \
	    rm -rf .venv; \
	    echo "$$python cannot make a virtual environment. On Debian: sudo apt install python3-venv" >&2; \
	    exit 1; \
	done; \
	echo "Afterbeep needs Python 3.11 or newer, and there is none here. On Debian: sudo apt install python3 python3-venv" >&2; \
	exit 1
