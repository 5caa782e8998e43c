"""What the program refuses to begin with, and that nothing is opened before it has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.whole_call.house import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "instance")
    yield house
    house.kill()


def test_a_second_program_on_the_same_instance_is_refused(house: House) -> None:
    house.start()
    second = House(house.instance_path)

    assert second.launch().wait(timeout=30) == 1
    assert second.output == f"Afterbeep is already running on {house.instance_path}.\n"
    assert house.get("/healthz").status_code == 200


def test_all_wrong_settings_are_told_at_once(tmp_path: Path) -> None:
    house = House(
        tmp_path / "instance",
        PORT="ninety",
        OWNER_PHONE="my phone",
        REALTIME_AUDIO="opus",
        TWILIO_AUTH_TOKEN="canary",
        DRAIN_SECONDS="-1",
    )

    assert house.launch().wait(timeout=30) == 2
    told = [line.partition(":")[0] for line in house.output.splitlines()]
    assert sorted(told) == [
        *("DRAIN_SECONDS", "OWNER_PHONE", "PORT", "PUBLIC_URL", "REALTIME_AUDIO"),
        *("TWILIO_ACCOUNT_SID", "TWILIO_NUMBER"),
    ]
    assert "canary" not in house.output
    assert not house.instance_path.exists()


def test_a_damaged_secret_is_one_line_for_the_program_and_for_commands(house: House) -> None:
    house.instance_path.mkdir()
    (house.instance_path / "secret_key").write_text("cut off")

    assert house.launch().wait(timeout=30) == 2
    assert house.output.startswith("SECRET_KEY: ")
    assert house.output.count("\n") == 1
    command = house.flask("prefs")
    assert (command.returncode, command.stderr) == (2, house.output)


def test_an_instance_that_cannot_be_written_is_one_line(house: House) -> None:
    (house.instance_path / "server.lock").mkdir(parents=True)

    assert house.launch().wait(timeout=30) == 2
    assert house.output.startswith("INSTANCE_PATH: ")
    assert house.output.count("\n") == 1


def test_flask_run_is_refused(house: House) -> None:
    refused = house.flask("run")

    assert refused.returncode != 0
    assert "make run" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not house.database.exists()
