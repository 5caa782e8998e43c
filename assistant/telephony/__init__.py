"""The telephone company: what it sends, what it is told, and how it is asked.

signature.py   is it really them?
twiml.py       the documents a call follows (pure)
streams.py     the media stream's messages (pure)
phone.py       one caller's media stream, as the bridge uses it
tokens.py      one-time keys from a webhook to its stream
dials.py       running calls to the owner, to recognise one that comes back
rest.py        their REST side: hang up, list, fetch, delete
recordings.py  voicemails: from their disk to ours
"""
