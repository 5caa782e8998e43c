"""What every leg of a simulated call shares: the app's address, the account, the REST side, the watcher."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from assistant.sandbox.caller.twilio_rest import Recording, TwilioRest
from assistant.sandbox.caller.webhooks import WebhookFailed, Webhooks

STATUS_CALLBACK = "/voice/status#rc=2&rp=ct,rt,5xx"


@dataclass(frozen=True)
class Happening:
    """Something to be shown while it happens.

    kind: rings, says, presses, hangs_up (the caller) · network (the telephone company) · trouble · over.
    """

    label: str
    call_sid: str
    kind: str
    text: str


@dataclass(frozen=True)
class OwnerPhone:
    """How the owner's phone behaves when it is dialled.

    kind: presses-1, hangs-up (after answering), voicemail (answers and presses nothing), no-answer, busy.
    """

    kind: str = "no-answer"
    answers_after_ms: int = 4000
    talks_ms: int = 3000


@dataclass
class Network:
    """One telephone company, for all calls of a scenario.

    hurry: how much faster than life everything but media streams runs.
    recording_ready_s: how long after a recording its file and its status callback come.
    """

    app_url: str
    account_sid: str
    twilio_number: str
    webhooks: Webhooks
    rest: TwilioRest
    scenario: str
    on_event: Callable[[Happening], None]
    owner: OwnerPhone = field(default_factory=OwnerPhone)
    hurry: float = 1.0
    recording_ready_s: float = 0.3
    failed_callbacks: list[str] = field(default_factory=list)
    _running: list[threading.Thread] = field(default_factory=list)

    def sandbox_fields(self) -> dict[str, str]:
        """The two fields a real telephone company does not send; the app reads them in the sandbox only."""
        return {"SandboxApiUrl": self.rest.url, "SandboxScenario": self.scenario}

    def call_back(self, url: str, fields: dict[str, str]) -> None:
        """Make a request whose answer nobody follows, beside everything else."""
        self._beside(0.0, lambda: self._call_back(url, fields))

    def recording_ready(self, recording: Recording, url: str, fields: dict[str, str]) -> None:
        """A moment from now the recording's file is there; the app is told at `url`, if it wants to be."""

        def ready() -> None:
            recording.ready = True
            if url:
                self._call_back(url, fields)

        self._beside(self.recording_ready_s, ready)

    def settle(self, timeout_s: float) -> None:
        """Wait for the requests made beside the calls."""
        for thread in self._running:
            thread.join(timeout_s)

    def _beside(self, after_s: float, function: Callable[[], None]) -> None:
        thread = threading.Timer(after_s, function)
        thread.daemon = True
        self._running.append(thread)
        thread.start()

    def _call_back(self, url: str, fields: dict[str, str]) -> None:
        try:
            self.webhooks.post(url, fields)
        except WebhookFailed as failed:
            self.failed_callbacks.append(f"{failed.code}: {failed}")
