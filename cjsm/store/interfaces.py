"""What every room may ask of a store. Back ends implement these and nothing outside :mod:`cjsm.suite` names one.

Every call returns a Deferred and may fail with :class:`Unavailable`. Where a write fails with ``maybe_committed``,
repeating it with the same identifier is safe: every act carries one and happens at most once.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from msgspec import Struct
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from cjsm.community.identifiers import ActId, BodyId, ConnectionId, DeliveryId, MailboxId, SecretId
from cjsm.community.view import Change, View
from cjsm.store.errors import (
    UNREADABLE,
    Altered,
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

#: What the contract is made of besides, for rooms to import from here.
__all__ = [
    "UNIQUE_ID",
    "UNREADABLE",
    "Altered",
    "Anchored",
    "Anchoring",
    "CannotOpen",
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
    "Quarantined",
    "Row",
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


class SpoolDelivery(Struct, frozen=True, kw_only=True):
    """One recipient mailbox of a spooled message. ``wrap`` is the vault's wrap, encoded."""

    mailbox: MailboxId
    delivery_id: DeliveryId
    generation: int
    octets: int
    wrap: bytes


class SpoolEntry(Struct, frozen=True, kw_only=True):
    """One accepted message for mailboxes kept here: what delivery needs and nothing readable.

    ``body`` is the sealed body itself up to the inline limit, else None and the body store holds ``body_id``.
    ``sealed_octets`` is the length of the sealed body. ``envelope`` is sealed under the queue key; ``reports`` tells
    that its sender wants to hear of deliveries.
    """

    id: bytes
    accepted: int
    body_id: BodyId
    sealed_octets: int
    summary: bytes
    envelope: bytes
    deliveries: tuple[SpoolDelivery, ...]
    body: bytes | None = None
    reports: bool = False


class Outgoing(Struct, frozen=True, kw_only=True):
    """One accepted message for recipients behind one connection.

    ``envelope`` is sealed under the queue key and holds the recipients, of whom there are ``recipients``, and the
    message's key. ``body`` as in :class:`SpoolEntry`.
    """

    id: bytes
    connection: ConnectionId
    accepted: int
    body_id: BodyId
    sealed_octets: int
    recipients: int
    envelope: bytes
    body: bytes | None = None


class SpoolBatch(Struct, frozen=True, kw_only=True):
    """What becomes of one accepted message, all in one commit: for mailboxes, for connections, and answers to it.

    :ivar notice: where it is notices, the highest number among them; a batch whose number is not above what was put
        before is there already, see :meth:`ISpool.last_notice`.
    """

    id: bytes
    hosted: tuple[SpoolEntry, ...] = ()
    outgoing: tuple[Outgoing, ...] = ()
    notice: int = 0


class Claimed(Struct, frozen=True, kw_only=True):
    """An entry handed to a worker. ``sequence`` rises with acceptance; ``attempts`` counts earlier tries."""

    sequence: int
    attempts: int
    entry: SpoolEntry
    remaining: tuple[DeliveryId, ...]


class SpoolStatus(Struct, frozen=True, kw_only=True):
    """What waits: number of entries, their sealed octets and when the oldest was accepted (0: none).

    ``damaged`` entries cannot be read: they stay, and are not handed out.
    """

    entries: int
    octets: int
    oldest: int
    damaged: int = 0


class ISpool(Interface):
    """Accepted, not yet delivered."""

    def check_room(octets: int) -> None:
        """Check that there is room for a message of *octets*.

        :raises DiskFull: below the floor of free space, or where *octets* would lead below it.
        """

    def put(batch: SpoolBatch) -> "Deferred[int]":
        """Fires with the first sequence of the batch when all of it is on stable storage; commits gather.

        After ``maybe_committed`` the same batch may be put again: it is there once, as its ``id`` tells.

        :raises DiskFull: below the floor of free space.
        """

    def last_notice() -> int:
        """The highest number of a notice that was ever put, delivered since or not; 0 when none was."""

    def claim(worker: str, limit: int, until: int) -> "Deferred[Sequence[Claimed]]":
        """Hand out at most *limit* due entries, oldest first; they are the worker's until the time *until*.

        The end of the process frees them; when this fails, nothing was claimed.
        """

    def done(
        progress: Sequence[tuple[int, Sequence[DeliveryId]]], put: "Sequence[SpoolBatch]" = ()
    ) -> "Deferred[None]":
        """Deliveries made, per sequence; an entry whose last delivery is done leaves the spool.

        Its spooled body is released afterwards. *put*: what their senders hear of it, in the same commit.
        """

    def defer(sequence: int, until: int, reason: str) -> "Deferred[None]":
        """Try *sequence* again at *until*; *reason* is for the operator.

        Never fails: where it cannot be written, it holds until the end of the process.
        """

    def waiting(mailbox: MailboxId) -> int:
        """Octets that the spool holds for *mailbox*."""

    def low_water() -> int:
        """Every sequence below this one has left the spool."""

    def named_bodies() -> "Deferred[frozenset[BodyId]]":
        """The bodies in the body store that entries name, as they were when this was asked."""

    def named_generations() -> "Deferred[frozenset[tuple[MailboxId, int]]]":
        """The mailboxes' generations that waiting deliveries are sealed to, as they were when this was asked.

        :raises Damaged: when an entry cannot be read: nobody knows what it names.
        """

    def status() -> SpoolStatus:
        """What waits now."""

    def on_arrival(notify: Callable[[], object]) -> None:
        """Call *notify* on the reactor thread when something was put."""


class QueueState(Struct, frozen=True, kw_only=True):
    """How far a message on its way out has come.

    :ivar attempts: tries so far; ``tried`` is when the last one was, 0 for never.
    :ivar due: when the next one is; 0: at once, because an engineer said so, even where the destination is put off.
    :ivar held: an engineer keeps it back.
    :ivar reason: why it is still here, in words.
    :ivar settled: indexes of recipients that are done with, delivered or reported.
    :ivar told: the sender was told that it is late.
    :ivar removed: why an engineer had it returned; empty otherwise.
    """

    attempts: int = 0
    tried: int = 0
    due: int = 0
    held: bool = False
    reason: str = ""
    settled: tuple[int, ...] = ()
    told: bool = False
    removed: str = ""


class Queued(Struct, frozen=True, kw_only=True):
    """A message on its way out, and how far it has come."""

    sequence: int
    outgoing: Outgoing
    state: QueueState


class Attempted(Struct, frozen=True, kw_only=True):
    """What became of a try to send.

    :ivar settled: indexes of recipients that are done with now.
    :ivar due: when those that are left are tried again.
    :ivar returning: it was known that an engineer had it returned.
    """

    sequence: int
    settled: tuple[int, ...]
    due: int
    reason: str = ""
    told: bool = False
    returning: bool = False


class QueueSummary(Struct, frozen=True, kw_only=True):
    """What waits for one connection.

    :ivar held: how many of the messages an engineer keeps back.
    :ivar tried: how many of them were tried, and are still here.
    :ivar damaged: how many of them cannot be read.
    :ivar oldest: when the oldest was accepted.
    :ivar reason: why the one that was tried last is still here; empty where none was tried.
    """

    connection: ConnectionId
    messages: int
    held: int
    tried: int
    damaged: int
    oldest: int
    reason: str


class IOutgoingQueue(Interface):
    """Messages on their way out. What is taken is one's own until it is recorded, given back, or the process ends."""

    def destinations() -> "Deferred[Sequence[ConnectionId]]":
        """The connections that something is due for."""

    def claim(connection: ConnectionId, limit: int) -> "Deferred[Sequence[Queued]]":
        """Take at most *limit* messages that are due for *connection*, the longest due first."""

    def give_back(sequences: Sequence[int]) -> None:
        """They were not tried; nothing is written."""

    def record(attempts: Sequence[Attempted], put: Sequence[SpoolBatch] = ()) -> "Deferred[None]":
        """Write what became of tries; a message whose recipients are all settled leaves the queue.

        *put*: what the senders hear of it, in the same commit.
        """

    def listed(after: int, limit: int, connection: ConnectionId | None = None) -> "Deferred[Sequence[Queued]]":
        """At most *limit* messages with a sequence above *after*, without their bodies; of *connection* only.

        Those that cannot be read are left out; :meth:`summary` counts them.
        """

    def summary() -> "Deferred[Sequence[QueueSummary]]":
        """What waits for each connection that something waits for."""

    def found(sequence: int) -> "Deferred[Queued]":
        """One message, without its body.

        :raises Missing: when it is not there (any more).
        """

    def change(sequence: int, decide: "Callable[[QueueState], QueueState]") -> "Deferred[QueueState]":
        """Give a message the state that *decide* makes of its own; its due time holds from then on.

        :raises Missing: when it is not there (any more).
        """

    def change_each(
        sequences: Sequence[int], decide: "Callable[[QueueState], QueueState]"
    ) -> "Deferred[Sequence[int]]":
        """Do the same to several in one commit, those that are there; fires with those that are not as before."""


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
