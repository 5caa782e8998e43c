"""Afterbeep: answers the calls its owner missed. This is the map: the path of a call.

    Twilio ─ POST /voice/incoming ──▶ web.webhooks    is it Twilio? who calls, and what is to happen?
                                      trust           what this caller is allowed
                                      store.calls     the call has a row
                                      lobby           meanwhile a session of the model is opened, and waits
                                      telephony.twiml the answer: talk to the assistant; should its
                                                      socket ever close, an apology and a recording
    Twilio ═ WS /voice/stream ══════▶ web.media       may this socket in? (signature, one-time token)
                                      answering       makes the parts of this call and puts them together
                                      greeting        the sound the caller hears at once, where it is kept
                                      bridge          one inbox, one event at a time, both sockets
      either socket's bytes ────────▶ channel ─▶ frames ──▶ message
      the caller's messages ────────▶ telephony.streams ──▶ event   ┐
      the model's messages ─────────▶ realtime.wire ──────▶ event   ├─▶ inbox ─▶ call.machine ─▶ commands
      a tool has finished, a timer is due ────────────────▶ event   ┘
    commands go to                    telephony.phone play, mark, clear, hang up, ring the owner
                                      realtime.client hear the caller, reply, cut a reply short
                                      beside          what nobody on the line waits for: tools, the PIN
                                      tools           take a message, book a time, ring the owner, hang up
                                      calendars       what is free for whom; the owner's own, or Google's
                                      owner_pin       are these digits the owner's?
                                      keeping, store  a turn is durable as soon as it is finished
    the owner's phone rings           web.putting_through   another document takes the stream's place
                                      live_calls      the call is parked, until its caller is back or gone
    meanwhile                         live, web.live  the owner reads along, and steps in (web.step_in)
    the call is over                  keeping         the recording is closed, what it cost is summed up
                                      store.calls     outcome and summary, by rule
                                      web.inbox, web.calls   what the owner reads and hears
                                      web.calendars   what waits for the owner's yes, and what was booked

`call` is the heart and does no I/O: events in, commands out. It has never heard of JSON, of Twilio
or of OpenAI. `prompt` says what the model is told, `audio` is the one ruler for sound, `errors` the one
tree of what can go wrong. app.py puts the parts together, `server` serves them, `green` is gevent to those
who must not name it, `rounds` is what is done beside the calls, `lateness` how late the loop is, `doctor`
looks what is wrong, and `cli` are the commands. `live_calls` knows which calls are running, `live` who
watches; `phone_side` is a phone as the bridge knows it, `peaks` what a recording looks like.

`sandbox` is the other end of every socket, a caller and a model by a second hand, so that all of this
runs with no keys; it shares nothing with the rest but `audio`.

Imports point one way, from app.py down to `errors`; tests/test_imports.py has the rows.
"""
