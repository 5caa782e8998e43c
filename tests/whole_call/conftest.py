"""Long calls are begun together, in waves: the first test of a wave begins all of it.

More calls at once than a machine with two cores can keep in time, or programs that start beside them, would
fail for that alone. So tests that need nothing of a wave come first, with the machine to themselves.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.whole_call.barge_ins import BargeIns
from tests.whole_call.bookings import Bookings
from tests.whole_call.crashes import Crashes
from tests.whole_call.googles import Linked
from tests.whole_call.house import NO_CAPS, House
from tests.whole_call.keyed import Keyed, keyed_program
from tests.whole_call.locked import Locked
from tests.whole_call.owner_calls import WithoutPin, set_pin
from tests.whole_call.stage import Stage
from tests.whole_call.transfers import Transfers

WAVES = (
    ("stage", "barge_ins"),
    ("bookings", "without_pin", "linked", "unlinked_by_google"),
    ("crashes", "keyed", "locked", "transfers"),
)


def _names(item: pytest.Item) -> set[str]:
    """The fixtures a test wants."""
    return set(getattr(item, "fixturenames", ()))


def _wave(item: pytest.Item) -> int:
    """The wave a test belongs to, from 1; 0: to none."""
    return next((n for n, wave in enumerate(WAVES, 1) if not _names(item).isdisjoint(wave)), 0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One wave after the other."""
    items.sort(key=_wave)


@pytest.fixture(autouse=True)
def _begin_the_wave(request: pytest.FixtureRequest) -> None:
    """Begin all that any of the chosen tests is going to wait for in this wave."""
    wanted = set().union(*map(_names, request.session.items))
    for name in WAVES[_wave(request.node) - 1] if _wave(request.node) else ():
        if name in wanted:
            request.getfixturevalue(name)


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """All shipped scenarios, played at once in one program."""
    house = House(tmp_path_factory.mktemp("stage") / "instance").prefer(**NO_CAPS)
    set_pin(house)
    with house:
        yield Stage(house)


@pytest.fixture(scope="session")
def crashes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crashes]:
    """The program, killed again and again in the middle of calls."""
    made = Crashes(tmp_path_factory.mktemp("crashes"))
    yield made
    made.house.kill()


@pytest.fixture(scope="session")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    """The program with keys, and one call that leaves a message."""
    with keyed_program(tmp_path_factory.mktemp("keyed")) as program:
        yield program


@pytest.fixture(scope="session")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Locked]:
    """A call in the middle of which the database is locked."""
    made = Locked(tmp_path_factory.mktemp("locked"))
    yield made
    made.house.kill()


@pytest.fixture(scope="session")
def transfers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Transfers]:
    """Callers who want to be put through, and come back."""
    made = Transfers(tmp_path_factory.mktemp("transfers"))
    yield made
    made.house.kill()


@pytest.fixture(scope="session")
def barge_ins(stage: Stage) -> BargeIns:
    """Callers who interrupt at different moments, in the program of the stage."""
    return BargeIns(stage.house)


@pytest.fixture(scope="session")
def bookings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bookings]:
    """Two who want the same hour at once, and one who wants too much."""
    made = Bookings(tmp_path_factory.mktemp("bookings"))
    yield made
    made.kill()


@pytest.fixture(scope="session")
def without_pin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WithoutPin]:
    """The owner's call where no PIN is set."""
    made = WithoutPin(tmp_path_factory.mktemp("without-pin"))
    yield made
    made.kill()


@pytest.fixture(scope="session")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Linked]:
    """A call for an appointment while a Google account is linked."""
    made = Linked(tmp_path_factory.mktemp("linked"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def unlinked_by_google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Linked]:
    """The same, after the owner has taken the access back at Google."""
    made = Linked(tmp_path_factory.mktemp("unlinked"), dead=True)
    yield made
    made.close()
