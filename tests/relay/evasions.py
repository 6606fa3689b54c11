"""Every way of writing an outside address, as recipients of people and of servers."""

import base64
from collections.abc import Callable, Iterator, Sequence

from tests.community.test_evasion import FORMS, OUTSIDE, SUFFIXED
from tests.conformance.smtp.client import Wire
from tests.peers.certificates import Identity
from tests.relay.caller import Calls

#: Bad commands that a session may say, and more.
_FEW = 5


def _ours(form: str) -> str:
    """Return a form with names that are members here, so that only its form can be what is refused."""
    return form.replace("jo.ward", "jane.smith").replace("re.layed", "jo").replace("firm.co.uk", "firm.example")


#: Those that are more than one line, or none, are a matter of framing.
_ALL = [
    _ours(form) for form in (*FORMS.values(), *OUTSIDE.values(), *SUFFIXED.values()) if not set(form) & set("\r\n\0")
]


def every_form(begun: Callable[[], Wire]) -> Iterator[tuple[Wire, Sequence[str]]]:
    """Yield sessions that *begun* gives, behind MAIL, each with some of the forms; all have their turn."""
    for at in range(0, len(_ALL), _FEW):
        wire = begun()
        yield wire, _ALL[at : at + _FEW]
        wire.close()


def from_account(calls: Calls, _: Identity) -> Wire:
    """Return a session of a person, behind MAIL."""
    sender = calls.community.person("jane.smith@avon")
    wire = calls.wire("submissions")
    wire.secure(calls.community.tls(), "localhost")
    assert wire.reply().code == 220
    assert wire.say("EHLO client.example").code == 250
    secret = base64.b64encode(f"\0{sender['user_id']}\0{sender['password']}".encode()).decode()
    assert wire.say(f"AUTH PLAIN {secret}").code == 235
    assert wire.say(f"MAIL FROM:<{sender['address']}> SMTPUTF8").code == 250
    return wire


def from_connection(calls: Calls, shown: Identity) -> Wire:
    """Return a session of an organisation's server, behind MAIL."""
    wire = calls.call(shown)
    assert wire.say("MAIL FROM:<jo@firm.example> SMTPUTF8").code == 250
    return wire
