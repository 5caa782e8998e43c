"""The other end of every socket, so that a whole call runs with no keys and no phone.

A second implementation of both wire formats by its own hand: it shares nothing with the program but `audio`,
and so one misreading of a vendor's document cannot hide on both sides.

    model/       the model's side: a server that speaks the Realtime API
    caller/      the caller's side: somebody on a phone, and the telephone company
    scenarios/   who rings, what they do, and what should come of it
    voices/      every sentence that is said, as sound; lines.toml has the words
"""
