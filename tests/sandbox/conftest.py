"""A running sandbox model and clients of it."""

from collections.abc import Iterator

import pytest

from assistant.sandbox.model import SandboxModel
from assistant.sandbox.model.reply import Pace
from tests.sandbox.model_client import Client

QUICK = Pace(think_s=0.01, transcribe_s=0.03, speed=200)
UNHURRIED = Pace(think_s=0.05, transcribe_s=0.03, speed=4)


@pytest.fixture(scope="module")
def model() -> Iterator[SandboxModel]:
    with SandboxModel(pace=QUICK) as running:
        yield running


@pytest.fixture(scope="module")
def slow_speaker() -> Iterator[SandboxModel]:
    """Speaks at four times real time, so that there is something to interrupt."""
    with SandboxModel(pace=UNHURRIED) as running:
        yield running


@pytest.fixture
def client(model: SandboxModel) -> Iterator[Client]:
    with Client(model.url) as connected:
        connected.until("session.created")
        connected.configure()
        yield connected


@pytest.fixture
def interrupter(slow_speaker: SandboxModel) -> Iterator[Client]:
    with Client(slow_speaker.url) as connected:
        connected.configure()
        yield connected
