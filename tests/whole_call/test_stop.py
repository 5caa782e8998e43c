"""SIGTERM: calls go on to their end, who rings meanwhile leaves a recording, nobody is cut without need."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.whole_call.house import NO_CAPS, House, eventually, free_port, script, telephone

AT_ONCE_S = 2.0
CUT_S = 10.0  # a drain of 1 s, what is said of the end, and a busy machine; 60 s it is not

SHORT_CALL = script("""
[[caller]]
steps = [{ hear = "reply" }, { say = "thanks-bye" }, { hear = "end" }]

[expect]
outcome = "talked"
""")

LEAVES_A_RECORDING = script("""
[[caller]]
steps = [{ hear = "tone" }, { say = "message-1" }, { be_quiet_ms = 300 }, { hang_up = true }]

[expect]
outcome = "voicemail"
""")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "instance", DRAIN_SECONDS="60").prefer(**NO_CAPS, disclosure="")
    yield house
    house.kill()


def test_without_a_call_it_leaves_at_once(house: House) -> None:
    house.start().terminate()
    began = time.monotonic()

    assert house.left() == 0
    assert time.monotonic() - began <= AT_ONCE_S
    assert "Traceback" not in house.output


def test_with_a_call_it_goes_on_until_the_call_has_ended(house: House) -> None:
    talking = house.start().ring(SHORT_CALL)
    talking.until("the assistant's line is open")
    house.terminate()
    eventually(lambda: "leaving" in house.output, "it has heard that it is to leave")

    meanwhile = house.ring(LEAVES_A_RECORDING, hurry=10.0).report()
    talked = talking.report()

    assert house.left() == 0
    assert meanwhile.call.verbs == ("Say", "Record")
    assert [made.deleted for made in meanwhile.call.recordings] == [True]
    assert talked.call.verbs == ("Connect",)
    assert talked.call.problems == ()
    calls = house.all_kept()
    assert calls[meanwhile.call.call_sid]["outcome"] == "voicemail"
    assert calls[talked.call.call_sid]["ended_because"] == "assistant_ended"
    assert [turn["speaker"] for turn in calls[talked.call.call_sid]["turns"]] == [
        *("assistant", "caller", "assistant")
    ]
    assert (talked.problems, meanwhile.problems) == ((), ())


@pytest.mark.parametrize(
    ("drain_seconds", "signals"), [(1, 1), (60, 2)], ids=["its time is over", "told again"]
)
def test_a_call_that_is_cut_comes_to_the_apology(house: House, drain_seconds: int, signals: int) -> None:
    house.start(DRAIN_SECONDS=str(drain_seconds), **telephone(free_port(), "http://127.0.0.1:9"))
    ringing = house.ring(LEAVES_A_RECORDING, hurry=10.0, media_not_ready=0)
    ringing.until("the assistant's line is open")
    for _ in range(signals):
        house.terminate()
        eventually(lambda: "leaving" in house.output, "it has heard that it is to leave")

    assert house.left(within_s=CUT_S) == 0
    ringing.until("over")
    [call_sid] = ringing.call_sids
    assert house.kept(call_sid)["ended_because"] == "shut_down"

    house.start(TWILIO_API_URL=ringing.caller.rest.url)
    call = ringing.report().call
    kept = house.kept(call_sid)
    assert [stream.close_code for stream in call.streams] == [1001]
    assert call.verbs == ("Connect", "Say", "Record")
    assert [made.deleted for made in call.recordings] == [True]
    assert (kept["outcome"], kept["ended_because"]) == ("voicemail", "shut_down")
