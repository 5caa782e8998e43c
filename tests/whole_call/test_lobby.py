"""A model that takes its time to begin a session, and callers who do not notice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection

from assistant.sandbox.caller import CallRecord
from assistant.sandbox.model import SandboxModel
from tests.whole_call.house import NO_CAPS, House, Kept, eventually, free_port, script, telephone

CONNECTING_S = 1.2
HURRY = 3.0  # the owner's phone rings for more than three seconds of ours

CALLER = """
[owner]
kind = "{owner}"
talks_ms = 1000

[[caller]]
forwarded_from = "{forwarded_from}"
steps = [{steps}]
"""
LISTENS = '{ hear = "reply", quiet_ms = 100, within_s = 60 }, { hang_up = true }'
STAYS = '{ hear = "end", within_s = 60 }'

WAITS, TAKEN = "a session waits in the lobby", "the call takes the session that waited"


class SlowModel(SandboxModel):
    """Counts who has connected, and notes how they left."""

    def __init__(self) -> None:
        super().__init__(session_delay_s=CONNECTING_S)
        self.connections = 0
        self.goodbyes: list[int | None] = []

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        self.connections += 1
        return super()._admit(connection, request)

    def _serve(self, connection: ServerConnection) -> None:
        super()._serve(connection)
        self.goodbyes.append(connection.close_code)


class Program:
    """The program with its slow model; no greeting is kept yet, so the model itself has to speak."""

    def __init__(self, folder: Path, model: SlowModel) -> None:
        self.model = model
        keys = {"OPENAI_API_KEY": "key", "OPENAI_BASE_URL": model.url}
        nobody = "http://127.0.0.1:9"  # who hangs up needs no REST side
        self.house = House(folder / "instance", **telephone(free_port(), nobody), **keys)
        self.house.prefer(**NO_CAPS, disclosure="", ring_first="on", ring_seconds="5").start()

    def call(self, steps: str, *, owner: str = "no-answer", forwarded_from: str = "") -> CallRecord:
        scenario = script(CALLER.format(steps=steps, owner=owner, forwarded_from=forwarded_from))
        return self.house.ring(scenario, hurry=HURRY, media_not_ready=0).report().call

    def kept(self, record: CallRecord) -> Kept:
        return eventually(lambda: _if_over(self.house.kept(record.call_sid)), "the call's books are closed")

    def said_in_order(self, *lines: str) -> bool:
        """Whether the log has all of these, in this order."""
        places = [self.house.output.find(line) for line in lines]
        return -1 not in places and places == sorted(places)


def _if_over(kept: Kept) -> Kept:
    return kept if kept.get("ended_at") else {}


@contextmanager
def program(folder: Path) -> Iterator[Program]:
    with SlowModel() as model:
        program = Program(folder, model)
        try:
            yield program
        finally:
            program.house.kill()


def test_the_session_is_ready_when_the_owner_has_not_answered(tmp_path: Path) -> None:
    with program(tmp_path) as ours:
        record = ours.call(LISTENS)
        kept = ours.kept(record)

        assert record.verbs == ("Dial", "Connect")
        assert ours.said_in_order(WAITS, "POST /voice/after-dial", TAKEN)
        assert ours.model.connections == 1
        assert kept["first_sound_ms"] < CONNECTING_S * 1000
        assert kept["usage"]["audio_out"] > 0
        eventually(lambda: ours.model.goodbyes == [1000], "the call ends it")


def test_a_forwarded_call_takes_the_session_that_is_being_opened(tmp_path: Path) -> None:
    with program(tmp_path) as ours:
        record = ours.call(LISTENS, forwarded_from="owner")
        kept = ours.kept(record)

        assert record.verbs == ("Connect",)
        assert TAKEN in ours.house.output
        assert WAITS not in ours.house.output
        assert ours.model.connections == 1
        assert kept["turns"]


def test_the_session_is_given_up_when_the_owner_answers(tmp_path: Path) -> None:
    with program(tmp_path) as ours:
        record = ours.call(STAYS, owner="presses-1")
        kept = ours.kept(record)

        assert record.verbs == ("Dial", "Hangup")
        eventually(lambda: ours.model.goodbyes == [1000], "it is closed")
        assert ours.model.connections == 1
        assert TAKEN not in ours.house.output
        assert (kept["turns"], kept["cost_usd"]) == ([], 0)


def test_the_session_is_given_up_when_the_program_is_about_to_leave(tmp_path: Path) -> None:
    with program(tmp_path) as ours:
        scenario = script(CALLER.format(steps=STAYS, owner="no-answer", forwarded_from=""))
        ours.house.ring(scenario, hurry=1.0)
        eventually(lambda: WAITS in ours.house.output, "it waits")

        ours.house.terminate()

        eventually(lambda: ours.model.goodbyes == [1000], "it is closed")
