"""What a scripted peer does: the usual, but for chosen moves at chosen steps."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TypeAlias

from tests.peers.certificates import Identity


class Step(Enum):
    """Where a session is: each is reached before the reply that belongs to it."""

    GREETING = "connected, nothing said"
    HANDSHAKE = "before a TLS handshake"
    EHLO = "EHLO"
    HELO = "HELO"
    STARTTLS = "STARTTLS"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    TEXT = "in the middle of a message: Script.middle octets of a text or a chunk have come"
    BDAT = "a chunk has come that is not the last"
    END = "a message has come whole, by its dot or its last chunk"
    RSET = "RSET"
    NOOP = "NOOP"
    QUIT = "QUIT"
    OTHER = "any other command"


@dataclass(frozen=True)
class Usual:
    """Do what a good server does.

    :ivar first: of its reply, say only so many octets; all for None.
    :ivar piece: say it in pieces of so many octets; at once for 0.
    :ivar gap: seconds between pieces.
    """

    first: int | None = None
    piece: int = 0
    gap: float = 0.0


@dataclass(frozen=True)
class Send:
    """Say exactly *octets*, in pieces like :class:`Usual`. What they begin with is taken for what was answered."""

    octets: bytes
    piece: int = 0
    gap: float = 0.0


@dataclass(frozen=True)
class Pause:
    """Do nothing for some seconds."""

    seconds: float


@dataclass(frozen=True)
class Hold:
    """Do nothing until *until* is set, or the peer is stopped."""

    until: threading.Event = field(default_factory=threading.Event, compare=False)


@dataclass(frozen=True)
class HangUp:
    """Close the connection; with a reset where *rude*."""

    rude: bool = False


@dataclass(frozen=True)
class BeginTls:
    """Do a handshake now."""


Move: TypeAlias = Usual | Send | Pause | Hold | HangUp | BeginTls
#: A step, or its n-th time on a connection, counted from 1.
Place: TypeAlias = Step | tuple[Step, int]

USUAL = (Usual(),)
EXTENSIONS = ("PIPELINING", "SIZE 26214400", "8BITMIME", "ENHANCEDSTATUSCODES", "DSN", "CHUNKING", "SMTPUTF8")


@dataclass(frozen=True, kw_only=True)
class Script:
    """How a peer behaves on one connection; without arguments, well.

    :ivar offers: extensions in its reply to EHLO, but STARTTLS. What is not offered is refused.
    :ivar offers_inside: more of them inside TLS, such as REQUIRETLS.
    :ivar starttls: STARTTLS is offered and done.
    :ivar implicit: TLS begins before the greeting.
    :ivar identity: shown instead of the peer's own.
    :ivar clients: the authority of the certificates that clients must show, instead of the peer's own choice.
    :ivar at: moves by place; the n-th time goes before the step in general.
    :ivar recipients: replies by recipient's address instead of the usual.
    :ivar always: said to every line whatever it is, text included: nothing is understood.
    :ivar joined: replies wait until all that was received is used up, and go in one packet.
    :ivar middle: octets of a message after which :attr:`Step.TEXT` is reached.
    """

    name: str = "peer.example"
    offers: Sequence[str] = EXTENSIONS
    offers_inside: Sequence[str] = ()
    starttls: bool = True
    implicit: bool = False
    identity: Identity | None = None
    clients: Path | None = None
    at: Mapping[Place, Sequence[Move]] = field(default_factory=dict)
    recipients: Mapping[str, bytes] = field(default_factory=dict)
    always: bytes | None = None
    joined: bool = False
    middle: int = 1

    def moves(self, step: Step, time: int) -> Sequence[Move]:
        """Return what is done at the *time*-th *step*."""
        return self.at.get((step, time), self.at.get(step, USUAL))
