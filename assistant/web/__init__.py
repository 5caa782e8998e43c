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
calendars/     the calendar: the week, what waits for the owner, what was booked
calendar_link.py  the link with Google Calendar
feed.py        the calendar for other programs
settings.py    what callers hear first
ranges.py      a part of a file
words.py       numbers, times and outcomes as people write them
errors.py      what a page says when it cannot be shown
"""
