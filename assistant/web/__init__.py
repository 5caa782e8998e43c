"""What is asked of us by HTTP: Twilio's webhooks, the caller's media stream, the owner's pages.

webhooks.py    what Twilio asks about a call, and what it is told
admission.py   what is to happen to a call that rings, by rule
books.py       what the webhooks write down
media.py       the caller's media stream: who may in
parts.py       what all views work with, and what is remembered of calls that are going on
guard.py       the door: which requests are looked at, and who sees what
headers.py     what every response says about itself
login.py       who is the owner
inbox.py       all calls
calls.py       one call, and its sound
words.py       numbers, times and outcomes as people write them
errors.py      what a page says when it cannot be shown
"""
