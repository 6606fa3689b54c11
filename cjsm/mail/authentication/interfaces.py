"""What authentication asks of others, and what others ask of it."""

from enum import StrEnum

from twisted.internet.defer import Deferred
from zope.interface import Interface

from cjsm.mail.authentication.bodies import BodyHashes, BodyInspector
from cjsm.mail.authentication.results import AuthenticationResult
from cjsm.mail.header import Header


class Kind(StrEnum):
    """The types of DNS records that are asked for."""

    TXT = "TXT"
    A = "A"
    AAAA = "AAAA"
    MX = "MX"
    PTR = "PTR"


class LookupFailed(Exception):
    """DNS gave no answer for now: not the same as an answer that there is nothing."""


class TooManyLookups(LookupFailed):
    """One message has asked for more lookups than the settings allow."""


class IResolver(Interface):
    """DNS, asked from a thread."""

    def lookup(name: str, kind: Kind, seconds: float) -> tuple[bytes, ...]:
        """Return the records of *kind* at *name*, aliases followed; blocks for *seconds* at most.

        TXT: the strings of each record joined. A, AAAA: the address as text. MX, PTR: the host's name, MX in any order.
        Nothing, whether the name exists or not, is no record.

        :raises LookupFailed: when no answer could be had in time, or the answer is that there was a failure.
        """


class IAuthenticator(Interface):
    """Says who vouches for a message."""

    def inspector(header: Header) -> BodyInspector:
        """Return what the body's octets are to be written to as they pass."""

    def verify(
        header: Header, bodies: BodyHashes, peer: str, helo: str, mail_from: str
    ) -> "Deferred[AuthenticationResult]":
        """Fire with what SPF, DKIM and DMARC say. Never fails: what cannot be found out is a temporary error.

        :param header: as it arrived, before anything is taken out or rewritten.
        :param bodies: what the inspector's ``finish`` gave.
        :param peer: the address that the message came from.
        :param helo: the name in EHLO or HELO.
        :param mail_from: as in MAIL FROM without angle brackets; empty for the null sender.
        """
