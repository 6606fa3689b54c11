"""The protocol's states as one table."""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType


class State(Enum):
    """Where a session is; ``CLEAR`` is before TLS."""

    CLEAR = "in the clear"
    STARTING_TLS = "starting TLS"
    ANONYMOUS = "anonymous"
    SIGNING_IN = "signing in"
    SIGNED_IN = "signed in"
    ENDED = "ended"


class Event(Enum):
    """What moves it."""

    START_TLS = "StartTLS"
    SECURED = "TLS has begun"
    ANONYMOUS_BIND = "anonymous bind"
    CLAIM = "bind with name and password"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNBIND = "unbind"
    FAULT = "fault"


#: The state after each event; what is not here does not happen (RFC 4511 §4.14, RFC 4513 §4).
TRANSITIONS: Mapping[tuple[State, Event], State] = MappingProxyType(
    {
        (State.CLEAR, Event.ANONYMOUS_BIND): State.CLEAR,
        (State.CLEAR, Event.START_TLS): State.STARTING_TLS,
        (State.CLEAR, Event.UNBIND): State.ENDED,
        (State.CLEAR, Event.FAULT): State.ENDED,
        (State.STARTING_TLS, Event.SECURED): State.ANONYMOUS,
        (State.STARTING_TLS, Event.UNBIND): State.ENDED,
        (State.STARTING_TLS, Event.FAULT): State.ENDED,
        (State.ANONYMOUS, Event.ANONYMOUS_BIND): State.ANONYMOUS,
        (State.ANONYMOUS, Event.CLAIM): State.SIGNING_IN,
        (State.SIGNED_IN, Event.ANONYMOUS_BIND): State.ANONYMOUS,
        (State.SIGNED_IN, Event.CLAIM): State.SIGNING_IN,
        (State.SIGNING_IN, Event.ACCEPTED): State.SIGNED_IN,
        (State.SIGNING_IN, Event.REFUSED): State.ANONYMOUS,
        (State.ANONYMOUS, Event.UNBIND): State.ENDED,
        (State.SIGNING_IN, Event.UNBIND): State.ENDED,
        (State.SIGNED_IN, Event.UNBIND): State.ENDED,
        (State.ANONYMOUS, Event.FAULT): State.ENDED,
        (State.SIGNING_IN, Event.FAULT): State.ENDED,
        (State.SIGNED_IN, Event.FAULT): State.ENDED,
    }
)
