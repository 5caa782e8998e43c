"""The other end of every socket, so that a whole call runs with no keys and no phone.

A second implementation of both wire formats by its own hand: it shares nothing with the program but `audio`,
and so one misreading of a vendor's document cannot hide on both sides.

The model's side (`model.SandboxModel`) is a server that speaks the Realtime API:

    model          the listening socket, the handshake, one loop per connection
    session        one connection: client events in, server events out
    shapes         what a session.update may contain
    conversation   the items, their order, what they cost in tokens
    reply          one response, piece by piece in time
    faults         ways in which it can fail, chosen by the path
    ears, sound    voice detection, words by comparing sounds, wire formats of sound
    mind, brain    what to answer, by what was heard (brain.toml)
    mouth, lines   the shipped sentences and their sound (lines.toml, voices/)

The caller's side (`caller.SandboxCaller`) plays a scripted caller and the telephone company.
"""
