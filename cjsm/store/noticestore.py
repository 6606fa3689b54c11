"""The contract of the store of notices; rooms import it from :mod:`cjsm.store.interfaces`.

What a notice says is nothing to the store: it keeps octets that :mod:`cjsm.notices` made.
"""

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct
from twisted.internet.defer import Deferred
from zope.interface import Interface

from cjsm.community.identifiers import AccountId


class Way(StrEnum):
    """How far a notice has come on one of its two ways: inside the community, and to the ordinary address."""

    WAITING = "waiting"
    SENT = "sent"
    LIMITED = "over the day's limit"
    NONE = "none"
    NOBODY = "no address"
    GIVEN_UP = "given up"


class NewNotice(Struct, frozen=True, kw_only=True):
    """A notice to be kept.

    :ivar once: a name and a number: where that name has that number already, this notice was kept before.
    :ivar ordinary: whether it goes to the ordinary address too.
    """

    account: AccountId
    notice: bytes
    once: tuple[bytes, int] | None = None
    ordinary: bool = False


class NoticeLimits(Struct, frozen=True, kw_only=True):
    """Notices for one person in one day, on each way."""

    inside: int
    ordinary: int


class KeptNotice(Struct, frozen=True, kw_only=True):
    """A notice, and how far it has come.

    :ivar number: rises with every notice.
    :ivar made: when it was kept, in seconds since the epoch.
    :ivar attempts: tries to send it to the ordinary address; ``due`` is when the next one is.
    :ivar reason: why it is still here, or was given up.
    """

    number: int
    account: AccountId
    notice: bytes
    made: int
    inside: Way
    ordinary: Way
    attempts: int = 0
    due: int = 0
    reason: str = ""


class NoticeCounts(Struct, frozen=True, kw_only=True):
    """How many notices wait on each way."""

    inside: int = 0
    ordinary: int = 0


class INoticeStore(Interface):
    """Notices from the act they tell of until they are old. One process writes: the owner of delivery."""

    def followed() -> bytes | None:
        """How far the ledger was followed, as :meth:`keep` was told; None before the first time."""

    def remembered(name: bytes) -> int:
        """The number that was kept under *name*; 0 for none."""

    def keep(
        notices: "Sequence[NewNotice]",
        moment: int,
        limits: "NoticeLimits",
        *,
        followed: bytes | None = None,
        remember: "Sequence[tuple[bytes, int]]" = (),
    ) -> "Deferred[int]":
        """Keep *notices*, and how far the ledger was followed, all in one synced transaction or none.

        Whoever had his share of the day is in the list, and gets no more. Fires with how many are on their way.

        :param remember: what :meth:`remembered` tells from now on; a number of 0 is forgotten.
        """

    def begin_after(number: int) -> "Deferred[None]":
        """Let the next notice have a number above *number*."""

    def inside(limit: int) -> "Sequence[KeptNotice]":
        """The first *limit* notices that wait to be sent inside the community, by number."""

    def sent_inside(outcomes: "Sequence[tuple[int, Way, str]]") -> "Deferred[None]":
        """Note of each numbered notice how it went inside the community, and why."""

    def ordinary(now: int, limit: int) -> "Sequence[KeptNotice]":
        """The first *limit* notices that are due to be sent to ordinary addresses."""

    def sent_ordinary(number: int, way: Way, reason: str = "", due: int = 0) -> "Deferred[None]":
        """Note how a try to send to an ordinary address went; one that still waits is due again at *due*."""

    def get(number: int) -> "KeptNotice | None":
        """One notice."""

    def newest(limit: int, account: AccountId | None = None) -> "Sequence[KeptNotice]":
        """The last *limit* notices, the newest first; those for *account* only, where it is given."""

    def counts() -> NoticeCounts:
        """How many wait."""

    def prune(before: int) -> "Deferred[int]":
        """Forget what was kept before that moment and waits no more; fires with how many notices that were."""
