"""The owner's time: what is free, what is on, and who may put something there.

diary.py     the diary as tools and pages know it, whatever keeps it: what the owner decides, and the next two
bookings.py  what is booked, moved and cancelled on calls, one at a time
outlook.py   what is free for whom, what is on: only to be looked at
slots.py     free spans, working hours, what to suggest (pure)
clock.py     dates and times as they are said, and the instants they are (pure)
events.py    an event, and what every calendar can do
local.py     the embedded calendar, in the program's own database
google/      Google Calendar: the link with the owner's account, and the appointments there
"""
