"""The model's side of a call: OpenAI's Realtime API, or a server that speaks like it.

session.py   what a session is asked for, and whether it was given; models and voices as data
wire.py      the Realtime API's messages as the call's events and commands
client.py    the socket
usage.py     what it cost; prices.toml
"""
