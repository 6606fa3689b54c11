"""What the room asks of others: whose ordinary address is which, and to carry a letter to one host."""

from msgspec import Struct
from twisted.internet.defer import Deferred
from zope.interface import Interface

from cjsm.community.identifiers import AccountId


class IOrdinaryAddresses(Interface):
    """Knows people's ordinary (non-secure) addresses, and tells nothing else of them."""

    def ordinary_address(account: AccountId) -> str:
        """The ordinary address of *account*; empty where there is none."""


class CannotCarry(Exception):
    """A letter did not go: the text says why, for the operator.

    :ivar for_good: trying again is of no use.
    """

    def __init__(self, reason: str, *, for_good: bool = False) -> None:
        super().__init__(reason)
        self.for_good = for_good


class Host(Struct, frozen=True, kw_only=True):
    """The one host that takes letters for ordinary addresses, and what it must show; nothing goes in the clear.

    :ivar name: what its certificate is for.
    :ivar pins: SHA-256 of its public key (SubjectPublicKeyInfo), hexadecimal; with any, one of them decides alone.
    :ivar public: whether a public authority vouches for it; else the community's own does.
    """

    host: str
    port: int
    name: str
    pins: frozenset[str] = frozenset()
    public: bool = True


class ICarrier(Interface):
    """Carries letters to the host that it is told, and nowhere else."""

    def carry(host: Host, sender: str, recipient: str, letter: bytes) -> "Deferred[None]":
        """Hand *letter*, a whole message in ASCII lines that end in CRLF, over; fires when the host has taken it.

        :raises CannotCarry: when it did not.
        """

    def rest() -> None:
        """No letter follows for now: nothing is kept open."""
