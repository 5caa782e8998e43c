"""The model's side of a call: OpenAI's Realtime API, or a server that speaks like it.

side.py      the session as a call knows it: the protocol that the others keep
client.py    the socket
session.py   what a session is asked for, and whether it was given (pure)
wire.py      the Realtime API's messages as the call's events and commands (pure)
memory.py    what one message tells and a later one leaves out
sound.py     call audio for a session in PCM
models.py    models, transcribers and voices as data
endings.py   why a session was refused or has ended, in words
usage.py     what it cost; prices.toml
"""
