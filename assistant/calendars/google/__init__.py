"""Google Calendar: the link with the owner's account, and the appointments there.

link.py           what pages and the diary use: is something linked, link it, unlink it, its calendar
client_secret.py  the file that Google's console gives the owner for this program
consent.py        OAuth: where the owner agrees, what comes back from there, how it is given up
tokens.py         what opens the account, and how it is kept: sealed
calendar.py       the appointments (Calendar of assistant/calendars/events.py)
wire.py           one request: its connection, time limit, tokens
notes.py          what requests brought to light, written down
failures.py       what a failed request means
shapes.py         Google's events and ours (pure)

Google's libraries cost 0.1 s and 16 MiB, and those for linking nearly as much time again (7 MiB). So they are
imported when something is first asked of Google; `link.Google.load` does it ahead of time, without those for
linking. Nothing here imports them at its top.
"""

from assistant.calendars.google.link import Account, Google

__all__ = ["Account", "Google"]
