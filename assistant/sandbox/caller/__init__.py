"""The caller's side: somebody on a phone, and the telephone company between them and us.

caller                       plays a scenario: every call of it, from the ring to the last callback
script                       reads scenarios/*.toml
person, handset              speaks and listens by the script
network, webhooks            signed requests, as the telephone company makes them
leg, documents, verbs        a call follows its document, verb by verb
line, playout                the media stream, and what of it is really heard
owner, far_ends              the owner's phone, and who else may answer
twilio_rest                  the REST side
expect                       whether it all went as the script says
"""

from assistant.sandbox.caller.caller import CallRecord, CallReport, SandboxCaller

__all__ = ["CallRecord", "CallReport", "SandboxCaller"]
