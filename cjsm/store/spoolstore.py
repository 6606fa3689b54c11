"""The contract of the spool, and of the queue of what goes on to other systems; rooms import it from
:mod:`cjsm.store.interfaces`.

``tests/store/contract`` holds that of the spool as tests that take any implementation.
"""

from collections.abc import Callable, Sequence

from msgspec import Struct
from twisted.internet.defer import Deferred
from zope.interface import Interface

from cjsm.community.identifiers import BodyId, ConnectionId, DeliveryId, MailboxId


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
