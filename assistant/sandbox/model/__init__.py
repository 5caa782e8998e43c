"""The model's side: a server that speaks the Realtime API on a loopback port.

What it says follows from the sound it hears, by rules; nobody tells it which scenario is played.

    server         the listening socket, the handshake, one loop per connection
    session        one connection: client events in, server events out
    shapes         what a session.update may contain
    conversation   the items, their order, what they cost in tokens
    reply          one response, piece by piece in time
    agenda         what is to happen when
    faults         ways in which it can fail, chosen by the path
    ears, sound    voice detection, words by comparing sounds, wire formats of sound
    mind, brain    what to answer, by what was heard (brain.toml)
    answers, times what tools have answered, and how times are said
    mouth          sentences, spoken: put together from what is shipped
"""

from assistant.sandbox.model.server import SandboxModel

__all__ = ["SandboxModel"]
