"""The simulated caller: rings the app the way Twilio does, over real sockets, and plays a scenario.

    SandboxCaller(url, account_sid, auth_token, "message").run() -> CallReport

An independent implementation of the telephone company: webhooks signed by our own hand (`webhooks`),
documents followed verb by verb (`documents`, `leg`, `verbs`, `owner`), the media stream with a play-out
in real time (`line`, `playout`), and the REST side (`twilio_rest`). A person on the phone (`person`) speaks
and listens by the script (`script`). Nothing in it knows how the app works inside.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from assistant.sandbox.caller.documents import Complaint
from assistant.sandbox.caller.handset import Handset
from assistant.sandbox.caller.leg import Leg
from assistant.sandbox.caller.line import MediaStream
from assistant.sandbox.caller.network import Happening, Network
from assistant.sandbox.caller.person import Person, Spoken
from assistant.sandbox.caller.playout import Heard
from assistant.sandbox.caller.script import Caller, Expected, Scenario, load_scenario, number_of
from assistant.sandbox.caller.twilio_rest import Recording, TwilioRest
from assistant.sandbox.caller.verbs import VERBS
from assistant.sandbox.caller.webhooks import Webhooks

# After the last call: the app fetches voicemails, and deletes them when they are safe.
RECORDINGS_WAIT_S = 20.0
CALLBACKS_WAIT_S = 10.0
HANG_UP_WAIT_S = 10.0


@dataclass(frozen=True)
class CallRecord:
    """One call, as the caller's side knows it."""

    label: str
    call_sid: str
    from_number: str
    status: str
    duration_s: int
    ended_by: str
    verbs: tuple[str, ...]
    documents: tuple[str, ...]
    spoken: tuple[Spoken, ...]
    streams: tuple[MediaStream, ...]
    recordings: tuple[Recording, ...]
    complaints: tuple[Complaint, ...]
    problems: tuple[str, ...]
    expected: Expected

    @property
    def heard(self) -> list[Heard]:
        """The assistant's voice as it was really heard: stretches, over all streams in order."""
        return [stretch for stream in self.streams for stretch in stream.playout.stretches()]


@dataclass(frozen=True)
class CallReport:
    """A whole scenario. `problems`: those of no single call."""

    scenario: Scenario
    calls: tuple[CallRecord, ...]
    problems: tuple[str, ...]

    @property
    def call(self) -> CallRecord:
        """The first (mostly the only) call."""
        return self.calls[0]


class SandboxCaller:
    """Plays one scenario against the app at `address`.

    hurry: how much faster than life everything but media streams runs. failing_hang_ups, media_not_ready:
    faults of the REST side, see `twilio_rest`. on_event is called from several threads, one at a time.
    """

    def __init__(
        self,
        address: str,
        account_sid: str,
        auth_token: str,
        scenario: str | Scenario,
        on_event: Callable[[Happening], None] = lambda happening: None,
        *,
        twilio_number: str = "+12025550100",
        owner_phone: str = "+12025550101",
        hurry: float = 3.0,
        failing_hang_ups: int = 0,
        media_not_ready: int = 1,
        recording_ready_s: float = 0.3,
    ) -> None:
        self.scenario = load_scenario(scenario) if isinstance(scenario, str) else scenario
        self.rest = TwilioRest(
            account_sid, auth_token, failing_hang_ups=failing_hang_ups, media_not_ready=media_not_ready
        )
        self._owner_phone = owner_phone
        self._on_event = on_event
        self._one_at_a_time = threading.Lock()
        self._network = Network(
            app_url=address.rstrip("/"),
            account_sid=account_sid,
            twilio_number=twilio_number,
            webhooks=Webhooks(auth_token),
            rest=self.rest,
            scenario=self.scenario.name,
            on_event=self._show,
            owner=self.scenario.owner,
            hurry=hurry,
            recording_ready_s=recording_ready_s,
        )

    def run(self) -> CallReport:
        """Ring, play the scenario to its end, wait for what follows it, report. Never hangs."""
        with self.rest.serving():
            problems: list[str] = []
            calls = [_OneCall(self._network, caller, self._owner_phone) for caller in self.scenario.callers]
            for call in calls:
                call.start()
            if not _all_over(calls, self.scenario.time_limit_s):
                problems.append(f"it took longer than {self.scenario.time_limit_s:g} s")
            self._network.settle(CALLBACKS_WAIT_S)
            self._wait_for_recordings()
            problems += [f"callback: {failed}" for failed in self._network.failed_callbacks]
            return CallReport(self.scenario, tuple(call.record() for call in calls), tuple(problems))

    def _show(self, happening: Happening) -> None:
        with self._one_at_a_time:
            self._on_event(happening)

    def _wait_for_recordings(self) -> None:
        until = time.monotonic() + RECORDINGS_WAIT_S
        while time.monotonic() < until:
            if all(made.deleted for made in self.rest.recordings.values()):
                return
            time.sleep(0.05)


class _OneCall:
    """One caller's call: the leg in one thread, the person in another."""

    def __init__(self, network: Network, caller: Caller, owner_phone: str) -> None:
        self._network = network
        self._caller = caller
        self.handset = Handset(hurry=network.hurry)
        self._leg = Leg(
            network,
            self.handset,
            VERBS,
            from_number=number_of(caller, owner_phone),
            to_number=network.twilio_number,
            label=caller.label,
            more_fields=_more_fields(caller, owner_phone),
        )
        self._person = Person(self.handset, caller.steps, self._show)
        self._threads = [
            threading.Thread(target=self._ring, name="leg", daemon=True),
            threading.Thread(target=self._person.run, name="person", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def over(self, timeout_s: float) -> bool:
        """Whether the call is over, after waiting for it."""
        until = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def record(self) -> CallRecord:
        leg = self._leg
        made = self._network.rest.recordings.values()
        return CallRecord(
            label=leg.label,
            call_sid=leg.call_sid,
            from_number=leg.from_number,
            status=leg.status,
            duration_s=leg.duration_s,
            ended_by=leg.ended_by,
            verbs=tuple(leg.verbs_followed),
            documents=tuple(leg.documents),
            spoken=tuple(self._person.spoken),
            streams=tuple(leg.streams),
            recordings=tuple(recording for recording in made if recording.call_sid == leg.call_sid),
            complaints=tuple(leg.complaints),
            problems=tuple(self._person.problems),
            expected=self._caller.expect,
        )

    def _ring(self) -> None:
        self.handset.over.wait(self._caller.starts_after_ms / 1000)
        self._network.rest.add_call(self._leg)
        self._show("rings", f"{self._leg.from_number} rings {self._leg.to_number}")
        self.handset.start()
        self._leg.run(f"{self._network.app_url}/voice/incoming")
        self._show("over", f"the call is over after {self._leg.duration_s} s ({self._leg.ended_by})")

    def _show(self, kind: str, text: str) -> None:
        self._network.on_event(Happening(self._leg.label, self._leg.call_sid, kind, text))


def _all_over(calls: list[_OneCall], time_limit_s: float) -> bool:
    """Wait for all calls; those that take too long are hung up."""
    until = time.monotonic() + time_limit_s
    late = [call for call in calls if not call.over(until - time.monotonic())]
    for call in late:
        call.handset.hang_up()
        call.over(HANG_UP_WAIT_S)
    return not late


def _more_fields(caller: Caller, owner_phone: str) -> dict[str, str]:
    fields = {"StirVerstat": caller.stir_verstat} if caller.stir_verstat else {}
    if caller.forwarded_from:
        forwarded = owner_phone if caller.forwarded_from == "owner" else caller.forwarded_from
        fields["ForwardedFrom"] = forwarded
    return fields
