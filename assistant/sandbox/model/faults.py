"""Ways in which the model's side can fail, chosen by the path: http://127.0.0.1:PORT/<fault>/v1.

A fault is a row of facts that the session looks at where it matters. Replies are counted per connection from
1.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """How a connection goes wrong. The default goes well."""

    refuse_status: int = 0  # HTTP status of the handshake
    update_error: str = ""  # error code of the answer to the first session.update, followed by a close
    update_delay_s: float = 0.0  # session.updated comes this late
    keeps_pcm: bool = False  # whatever format is asked for, the session stays at 24 kHz
    dies_in_reply: int = 0  # TCP reset in the middle of this reply; the next connection is well
    mute_after: int = 0  # after so many replies none is ever begun again
    stalls_after: int = 0  # after so many replies the socket is not read any more
    busy_reply: int = 0  # this reply fails with a rate limit
    expires_after: int = 0  # after so many replies: session_expired, close 1001
    no_words: bool = False  # every transcription fails


FAULTS: dict[str, Fault] = {
    "": Fault(),
    "refuse": Fault(refuse_status=401),
    "quota": Fault(update_error="insufficient_quota"),
    "slow": Fault(update_delay_s=7.0),
    "stubborn": Fault(keeps_pcm=True),
    "dies": Fault(dies_in_reply=2),
    "mute": Fault(mute_after=1),
    "stalls": Fault(stalls_after=1),
    "busy": Fault(busy_reply=2),
    "expires": Fault(expires_after=1),
    "no-words": Fault(no_words=True),
}
