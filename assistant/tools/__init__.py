"""What the assistant can do during a call: one file per tool, and the dispatcher that decides.

toolbox.py          Tool, Toolbox: trust levels, arguments, time limit, keys that confirm, refusals as data
take_message.py     a message for the owner
find_free_times.py  when the owner has time, as far as this caller may know
add_event.py        an appointment, or the request for one
list_events.py      what is on
move_event.py       another time for an appointment
cancel_event.py     an appointment is called off
list_messages.py    what callers left, for the owner
end_call.py         the end of the call, once it is polite

wishes.py           a wished time as a model gives it: read, checked, refused (pure)
speech.py           times as they are spoken, other people's words as data (pure)
own_event.py        which appointment may be changed by whom
passing_on.py       what the calendar cannot be asked for becomes a message
"""
