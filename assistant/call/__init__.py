"""One phone call without I/O: events in, commands out.

events.py, commands.py     what can happen, and what is to be done about it: the words of all the others
machine.py                 the call: the line, the end
conversation.py            the call: what the model's side says
floor.py                   whose turn it is
plan.py                    what is settled before it begins
keypad.py                  what a key means, and who is told
pin.py, consent.py         the owner's PIN; a key that is a yes
voice.py, playback.py      what is said to the caller, and how much of it was heard
opening.py, words.py       what is said first, and when two texts are the same words
disclosure.py, notice.py   whether the caller knows that the call is recorded, and hears that to its end
transcript.py              who said what, in the order of the conversation
replies.py                 who may ask the model to speak, and when
tools.py                   every call of a tool answered exactly once
session.py, hearing.py     a session that is lost, and what the next one must be told and must hear
names.py                   names that stay unique when there are two sessions
ending.py, parting.py      goodbyes, silence, hang-ups; what comes after the caller has gone
"""
