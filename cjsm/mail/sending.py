"""What relay asks of whoever speaks SMTP to other servers; the service fills it with the SMTP client."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from cjsm.community.records import Connection, NextHop, TlsTrust, TlsVersion
from cjsm.mail.envelope import Demands, Wish


class NextHopPolicy(Struct, frozen=True, kw_only=True):
    """Where to go, and what must be there; see :class:`cjsm.wire.peers.PeerPolicy`."""

    host: str
    port: int
    name: str
    public_authority: bool = False
    pins: frozenset[str] = frozenset()
    newest_tls_only: bool = False


def policy(connection: Connection, hop: NextHop) -> NextHopPolicy:
    """Return what the server at *hop* must show."""
    return NextHopPolicy(
        host=hop.host,
        port=hop.port,
        name=connection.tls_name or hop.host,
        public_authority=connection.tls_trust is TlsTrust.PUBLIC,
        pins=frozenset(connection.tls_pins),
        newest_tls_only=connection.tls_minimum is TlsVersion.TLS_1_3,
    )


class Addressee(Struct, frozen=True, kw_only=True):
    """One recipient as the other side knows it; *index* is the recipient's place in the envelope."""

    index: int
    address: str
    wish: Wish


class Parcel(Struct, kw_only=True):
    """One message as it goes out.

    :ivar reverse_path: as the other side is to see it; empty for null.
    :ivar octets: how long it is.
    :ivar pieces: gives it, see :class:`IPieces`.
    """

    reverse_path: str
    addressees: tuple[Addressee, ...]
    demands: Demands
    octets: int
    pieces: Any


class IPieces(Interface):
    """A message's octets, one after the other."""

    def read(most: int) -> "Deferred[bytes]":
        """The next octets, at most so many; none after the last."""

    def close() -> None:
        """Give what it holds back. Idempotent."""


class Outcome(Struct, frozen=True, kw_only=True):
    """What the other side said of one recipient.

    :ivar code: 2xx delivered, 4xx again later, 5xx never.
    :ivar text: its whole reply in one line, or our own words.
    :ivar ours: the words are ours.
    """

    code: int
    status: str
    text: str
    ours: bool = False


class Sent(Struct, frozen=True, kw_only=True):
    """What became of a parcel: an outcome for each recipient by index.

    Who has none was one too many for one message, and is to be sent to in another; at least one has an outcome.

    :ivar passes_reports_on: the other side takes over reports (RFC 3461).
    """

    outcomes: Mapping[int, Outcome]
    passes_reports_on: bool = False


class Stage(StrEnum):
    """How far a connection came before it failed."""

    REACH = "reach"
    GREETING = "greeting"
    TLS = "TLS"
    CERTIFICATE = "certificate"
    SESSION = "session"


class CannotReach(Exception):
    """No connection, or none that may be trusted: nothing was sent. The text says why, for engineers.

    :ivar insecure: the other side was there, but its encryption or certificate was not as it must be.
    """

    def __init__(self, reason: str, stage: Stage = Stage.REACH, *, insecure: bool = False) -> None:
        super().__init__(reason)
        self.stage = stage
        self.insecure = insecure


class Interrupted(Exception):
    """The connection ended, or the other side broke the protocol, before it said what became of the parcel."""


#: What is wrong with the encryption of a connection, or with the certificate on the other side (RFC 3463 section 3.8).
INSECURE = "4.7.5"


def status_of(error: CannotReach | Interrupted) -> str:
    """Return the enhanced status code of a message that is put off for *error*."""
    return INSECURE if isinstance(error, CannotReach) and error.insecure else "4.4.1"


class IRelaySession(Interface):
    """A connection to another server, inside TLS, trusted and greeted."""

    usable = Attribute("Whether another parcel may be sent.")
    policy = Attribute("The :class:`NextHopPolicy` that it was made under.")
    peer = Attribute("The server, for reports: name and address.")
    address = Attribute("Its IP address.")
    tls_version = Attribute("As in TLSv1.3.")
    tls_group = Attribute("Name of the key exchange group.")

    offers = Attribute("Keywords of its answer to EHLO inside TLS.")
    certificate = Attribute("What the server showed, see :class:`cjsm.wire.peers.ShownCertificate`.")

    def probe(recipient: str) -> "Deferred[str]":
        """Ask whether mail from nobody to *recipient* would be taken; fires with the reply, and nothing was sent.

        :raises Interrupted: when the connection ended.
        """

    def send(parcel: Parcel) -> "Deferred[Sent]":
        """Send one parcel.

        :raises Interrupted: when it is not known what became of it.
        """

    def close() -> None:
        """Say goodbye. Idempotent."""


class IRelayConnector(Interface):
    """Makes connections to other servers."""

    def connect(policy: NextHopPolicy) -> "Deferred[Any]":
        """Fires with an :class:`IRelaySession`.

        :raises CannotReach: saying why in words.
        """
