"""Long calls are begun together, before the first of these tests, and go on beside the others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.whole_call.house import NO_CAPS, House
from tests.whole_call.stage import Stage

BEGUN_EARLY = ("stage",)


@pytest.fixture(scope="session", autouse=True)
def _begun_early(request: pytest.FixtureRequest) -> None:
    """Begin at once what any of the chosen tests is going to wait for."""
    wanted = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    for name in BEGUN_EARLY:
        if name in wanted:
            request.getfixturevalue(name)


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """All shipped scenarios, played at once in one program."""
    house = House(tmp_path_factory.mktemp("stage") / "instance").prefer(**NO_CAPS)
    with house:
        yield Stage(house)
