"""What every room may ask of a store. Back ends implement these and nothing outside :mod:`cjsm.stores` names one.

Every call returns a Deferred and may fail with :class:`Unavailable`. Where a write fails with ``maybe_committed``,
repeating it with the same identifier is safe: every act carries one and happens at most once.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from msgspec import Struct
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from cjsm.community.identifiers import ActId, BodyId, ConnectionId, SecretId
from cjsm.community.view import Change, View
from cjsm.store.errors import (
    UNREADABLE,
    Altered,
    BackupDamaged,
    CannotOpen,
    Damaged,
    DiskFull,
    LeaseLost,
    LeaseTaken,
    MailboxExists,
    Missing,
    NewerStore,
    Quarantined,
    StoreError,
    Unavailable,
    VersionTaken,
)
from cjsm.store.heads import Anchored, Anchoring, Head, IAnchors, ILedgerHeads, Known, Noticed
from cjsm.store.ledger import ILedgerEntries, ILedgerFiles, Words
from cjsm.store.mailstore import (
    UNIQUE_ID,
    Deleted,
    Delivery,
    Examine,
    Filling,
    ILease,
    IMailStore,
    MailboxList,
    MailboxStatus,
    Row,
    StoredMessage,
    Usage,
    Verified,
)
from cjsm.store.noticestore import INoticeStore, KeptNotice, NewNotice, NoticeCounts, NoticeLimits, Way
from cjsm.store.spoolstore import (
    Attempted,
    Claimed,
    IOutgoingQueue,
    ISpool,
    Outgoing,
    Queued,
    QueueState,
    QueueSummary,
    SpoolBatch,
    SpoolDelivery,
    SpoolEntry,
    SpoolStatus,
)

#: What the contract is made of besides, for rooms to import from here.
__all__ = [
    "UNIQUE_ID",
    "UNREADABLE",
    "Altered",
    "Anchored",
    "Anchoring",
    "Attempted",
    "BackupDamaged",
    "CannotOpen",
    "Claimed",
    "Damaged",
    "Deleted",
    "Delivery",
    "DiskFull",
    "Examine",
    "Filling",
    "Head",
    "IAnchors",
    "ICopied",
    "ILease",
    "ILedgerEntries",
    "ILedgerFiles",
    "ILedgerHeads",
    "IMailStore",
    "INoticeStore",
    "IOutgoingQueue",
    "ISpool",
    "KeptNotice",
    "Known",
    "LeaseLost",
    "LeaseTaken",
    "MailboxExists",
    "MailboxList",
    "MailboxStatus",
    "Missing",
    "NewNotice",
    "NewerStore",
    "NoticeCounts",
    "NoticeLimits",
    "Noticed",
    "Outgoing",
    "Quarantined",
    "QueueState",
    "QueueSummary",
    "Queued",
    "Row",
    "SpoolBatch",
    "SpoolDelivery",
    "SpoolEntry",
    "SpoolStatus",
    "StoreError",
    "StoredMessage",
    "Unavailable",
    "Usage",
    "Verified",
    "VersionTaken",
    "Way",
    "Words",
]

T = TypeVar("T")


class ICopied(Interface):
    """A store that can be copied whole, as it is at one moment, while others use it."""

    def copy(descriptor: int) -> "Deferred[None]":
        """Write a compacted copy to an open file.

        :raises Unavailable: when it cannot be written.
        """


class ICommunityStore(ILedgerHeads, ILedgerEntries):
    """Organisations, accounts and all that administration writes; the one commit point of every act."""

    def read(function: Callable[[View], T]) -> "Deferred[T]":
        """Run *function* over the newest view, within one slice: it must not keep the view."""

    def read_now(function: Callable[[View], T]) -> T:
        """The same without a Deferred, for decisions on the reactor thread that look at few records."""

    def commit(act_id: ActId, decide: Callable[[View], Change]) -> "Deferred[Change]":
        """Run *decide* inside a write transaction and apply the change it returns with its ledger entry.

        An exception of *decide* reaches the caller and nothing is written. An *act_id* seen before changes
        nothing and fires with an empty change.
        """

    def commit_each(
        act_id: ActId, decide: Callable[[View], Iterable[Callable[[View], Change]]], *, keep: bool = True
    ) -> "Deferred[int]":
        """Run several acts inside one write transaction, each over what those before it left: all of them, or none.

        *decide* sees the state before and returns them. Each has its own ledger entry. An exception of *decide* or of
        an act reaches the caller and nothing is written. Fires with how many there were; an *act_id* seen before
        changes nothing and fires with 0.

        :param keep: False tries them out and leaves everything as it was.
        """

    def number() -> int:
        """The change sequence number now; cheap enough to ask four times a second."""

    def changes(after: int) -> "Sequence[tuple[int, str, bytes]] | None":
        """What changed after sequence number *after*: (number, kind of record, its key).

        None when that is too long ago: look at everything again.
        """


class IKeyStore(Interface):
    """Verifiers, slots, grants and signed public keys. A record is written before the act that names its version.

    Values are opaque encodings made by the vault; keys are (account or mailbox, version).
    """

    def put(owner: bytes, version: int, value: bytes) -> "Deferred[None]":
        """Keep *value*, synced, as *version* of *owner*. Writing the same again changes nothing.

        :raises VersionTaken: when something else is kept as that version.
        """

    def put_all(records: "Sequence[tuple[bytes, int, bytes]]") -> "Deferred[None]":
        """Do the same with several (owner, version, value) in one synced write: all of them, or none."""

    def get(owner: bytes, version: int) -> "Deferred[bytes]":
        """:raises Missing: when there is no such version."""

    def get_now(owner: bytes, version: int) -> bytes:
        """The same without a Deferred, for small records on the reactor thread."""

    def latest(owner: bytes) -> int:
        """The highest version written for *owner*, named or not; 0 when none."""

    def sweep(owner: bytes, below: int) -> "Deferred[int]":
        """Remove the versions of *owner* below the version *below*; returns how many went."""

    def destroy(owner: bytes) -> "Deferred[None]":
        """Remove everything of *owner*."""

    def compact() -> "Deferred[None]":
        """Leave nothing on disk of what was removed before, as far as files go; others read and write meanwhile."""


class Failure(Struct, frozen=True, kw_only=True):
    """Failed secrets of one account from one source network: the distinct 16-bit keyed tags, and when the first and
    the last of them came: one that comes again changes nothing.
    """

    tags: tuple[int, ...] = ()
    first: int = 0
    last: int = 0


class IActivity(IAnchors):
    """What happens often: failures and lockouts (synced at once), last login and use (merged, once a second)."""

    def failures(account: bytes, network: str) -> Failure:
        """What is known of *account* from *network*."""

    def failing(account: bytes, most: int | None = None) -> "Sequence[tuple[str, Failure]]":
        """The networks from which *account* failed, with what is known; the first *most* of them, in no order."""

    def failed(account: bytes, network: str, tag: int, moment: int) -> "Deferred[Failure]":
        """Add a failure; an equal tag counts once. Fires when synced."""

    def forget(account: bytes, network: str) -> "Deferred[None]":
        """Drop the failures of *account* from *network*, after a success."""

    def forget_all(account: bytes, but: str = "") -> "Deferred[None]":
        """Forget the failures of *account* from everywhere, *but* those that are counted under that name."""

    def known_network(account: bytes, network: str) -> bool:
        """Whether *account* ever signed in from *network*."""

    def used(account: bytes, network: str, protocol: str, secret: SecretId | None, moment: int) -> None:
        """Remember a successful login; merged and written within a second."""

    def last_used(account: bytes) -> Sequence[tuple[str, int]]:
        """(protocol or hexadecimal secret id, moment) pairs of *account*."""

    def last_uses(accounts: Sequence[bytes]) -> "Deferred[dict[bytes, int]]":
        """When each of *accounts* was last used, by any protocol; who never was is not in it."""

    def failed_from(source: str, subject: bytes, moment: int, most: int) -> "Deferred[None]":
        """Remember that *subject* (16 octets) failed from *source*, once, as the latest of at most *most*.

        Fires when synced.
        """

    def failing_from(source: str) -> "Sequence[int]":
        """When the different subjects failed that failed from *source*, each the last time; the oldest first."""

    def standing(account: bytes, network: str, source: str) -> "tuple[Failure, Sequence[int]]":
        """What :meth:`failures` and :meth:`failing_from` tell, in one look: each sign-in begins with it."""

    def succeeded_from(source: str, subject: bytes) -> "Deferred[None]":
        """Drop what is known of *subject* from *source*; nothing is written where that is nothing."""

    def use_step(account: bytes, step: int) -> "Deferred[bool]":
        """Take *step*, a number that only rises for *account*; fires with False where it or a later one is taken.

        Of several processes that ask at once one gets True. Fires when synced.
        """

    def destroy(account: bytes) -> "Deferred[None]":
        """Forget everything of *account*: it is no more. Idempotent; fires when synced."""

    def prune(before: int) -> "Deferred[int]":
        """Forget failures older than *before*."""


class Traced(Struct, frozen=True, kw_only=True):
    """One event of one message, as the trace keeps it: what it is found by, and the rest sealed by the vault.

    :ivar moment: seconds since the epoch.
    :ivar queue_id: 8 octets, the same in all events of one message.
    :ivar message: keyed tag of the Message-ID, 16 octets; empty in events that need not be found by it.
    """

    moment: int
    queue_id: bytes
    sealed: bytes
    message: bytes = b""


class ITrace(Interface):
    """What became of messages, for the helpdesk: merged, and written within a second; pruned when it is old."""

    dropped = Attribute("Records that were lost since the start, because the store could not be written for long.")

    def add(records: Sequence["Traced"]) -> None:
        """Keep *records*. Never waits and never fails: where the store cannot be written for long, they are lost."""

    def find(queue_id: bytes, limit: int) -> "Deferred[Sequence[Traced]]":
        """The first *limit* records of the message in the order they were added, those not yet written included."""

    def named(message: bytes, limit: int) -> "Deferred[Sequence[bytes]]":
        """The queue ids of messages with that tag of a Message-ID, in no order, at most *limit*."""

    def since(moment: int, after: int, limit: int) -> "Deferred[Sequence[tuple[int, Traced]]]":
        """At most *limit* records in the order they were added, each with its number: those with a number above
        *after*, from about *moment* on. What is not yet written is left out.
        """

    def assessed(connection: ConnectionId, moment: int, assessment: bytes) -> "Deferred[None]":
        """Keep the *assessment* of a connection. It is written when this fires."""

    def assessments(connection: ConnectionId, limit: int) -> "Deferred[Sequence[bytes]]":
        """The last *limit* assessments of a connection, the newest first."""

    def prune(before: int) -> "Deferred[int]":
        """Remove what is older than the moment *before*, in slices; fires with how many records there were."""


class IBodyWriter(Interface):
    """A sealed body on its way to disk."""

    def write(sealed: bytes) -> "Deferred[None] | None":
        """Append *sealed*; wait for the Deferred, where there is one, before the next write."""

    def finish() -> "Deferred[None]":
        """File and directory are on stable storage when it fires."""

    def abort() -> "Deferred[None]":
        """Take everything away again."""


class IBodyReader(Interface):
    """Random access to one sealed body."""

    octets = Attribute("Length of the sealed body in octets.")

    def read(offset: int, length: int) -> "Deferred[bytes]":
        """Exactly the octets asked for.

        :raises Damaged: when the body is shorter.
        """

    def close() -> None:
        """Give the descriptor back. Idempotent."""


class IBodyStore(Interface):
    """Sealed bodies too large for a record. One copy per machine, however many mailboxes keep it."""

    def create(body_id: BodyId) -> "Deferred[Any]":
        """Begin a body in the spool; fires with an :class:`IBodyWriter`, which fails with :class:`DiskFull`
        below the floor of free space.
        """

    def open(body_id: BodyId) -> "Deferred[Any]":
        """Fires with an :class:`IBodyReader` of a spooled body.

        :raises Missing: when it is not there (any more).
        """

    def release(body_id: BodyId) -> "Deferred[None]":
        """The spool no longer needs *body_id*; mailboxes that keep it still have it."""

    def sweep(known: Callable[[BodyId], bool], before: int) -> "Deferred[int]":
        """Remove spooled bodies older than *before* that *known* does not know: orphans of a crash."""
