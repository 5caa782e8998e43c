"""Call audio for a session that is not in mu-law: PCM at 24 kHz, one or both directions.

One filter for each direction and connection, with kept history: block by block without it,
every border would click.
"""

from __future__ import annotations

import numpy as np

from assistant.audio import LiveDownsampler, LiveUpsampler, decode_ulaw, encode_ulaw


class PcmSound:
    """Conversion for a session in PCM at 24 kHz, in the directions that need it."""

    def __init__(self, *, hears: bool, speaks: bool) -> None:
        self._up = LiveUpsampler() if hears else None
        self._speaks = speaks
        self._item_id = ""
        self._down = LiveDownsampler()
        self._odd = b""  # half a sample, when a delta ends in the middle of one

    def heard(self, payload: bytes) -> bytes:
        """The caller's mu-law as the session wants it."""
        if self._up is None:
            return payload
        return self._up.feed(decode_ulaw(payload)).astype("<i2").tobytes()

    def spoken(self, item_id: str, pcm: bytes) -> bytes:
        """The model's audio as mu-law; may be empty. A new item is a new sound."""
        if not self._speaks:
            return pcm
        if item_id != self._item_id:
            self._item_id, self._down, self._odd = item_id, LiveDownsampler(), b""
        pcm = self._odd + pcm
        whole = len(pcm) // 2 * 2
        self._odd = pcm[whole:]
        samples = np.frombuffer(pcm[:whole], "<i2").astype(np.int16, copy=False)
        return encode_ulaw(self._down.feed(samples))
