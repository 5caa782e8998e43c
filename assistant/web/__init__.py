"""What is asked of us by HTTP: Twilio's webhooks, the caller's media stream, the owner's pages.

webhooks.py    what Twilio asks about a call, and what it is told
admission.py   what is to happen to a call that rings, by rule
books.py       what the webhooks write down
signed.py      the door of the webhooks: only Twilio comes in
putting_through.py  the owner's phone is rung for a call the assistant has
media.py       the caller's media stream: who may in
sockets.py     what all sockets of sound have in common
parts.py       what all views work with, and what is remembered of calls that are going on
guard.py       the door: which requests are looked at, and who sees what
headers.py     what every response says about itself
assets.py      styles, scripts and icons, sent small and fetched once
frame.py       what stands around every page
login.py       who is the owner
inbox.py       all calls
calls.py       one call; sound.py its recordings, figures.py its numbers, deeds.py what the assistant did,
               takeaway.py its export
live.py        calls that are running, told as they happen
step_in.py     what the owner does in the middle of a call
search.py      finding calls
paging.py      lists, fifty a page
callers.py     everybody who called, and what is kept about them
phone/         ringing the assistant from the browser
calendars/     the calendar: the week, what waits for the owner, what was booked
calendar_link.py  the link with Google Calendar
feed.py        the calendar for other programs
settings/      what the owner may change, and who gets in
setup.py       five steps to the first call; setup_steps.py what they are
doctor.py      what works and what does not
ranges.py      a part of a file
words.py       numbers, times and outcomes as people write them
errors.py      what a page says when it cannot be shown
"""
