"""What the assistant can do during a call: one file per tool, and the dispatcher that decides.

toolbox.py        Tool, Toolbox: trust levels, arguments, time limit, refusals as data
take_message.py   a message for the owner
end_call.py       the end of the call, once it is polite
"""
