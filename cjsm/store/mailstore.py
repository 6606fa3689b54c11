"""The contract of the mailboxes; rooms import it from :mod:`cjsm.store.interfaces`.

``tests/store/contract`` holds it as tests that take any implementation.
"""

from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, NamedTuple

from msgspec import Struct
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from cjsm.community.identifiers import AccountId, BodyId, DeliveryId, MailboxId
from cjsm.store.heads import Head

#: Octets of a unique-id at most (RFC 1939 §7).
UNIQUE_ID = 70


class Row(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message of a mailbox as its list holds it.

    :ivar octets: as POP3 counts them, fixed at delivery.
    :ivar chain: the running hash up to this row.
    :ivar imported_id: the unique-id that an imported message came with; empty for others.
    """

    uid: int
    octets: int
    delivery_id: DeliveryId
    generation: int
    flags: int
    chain: bytes
    imported_id: str = ""

    @property
    def unique_id(self) -> str:
        """What POP3's UIDL says of it, for as long as the message lives."""
        return self.imported_id or self.delivery_id.hex()


class MailboxList(Struct, frozen=True, kw_only=True):
    """A mailbox's rows, oldest first, and the head of its list. Rows that the member hid are left out."""

    rows: tuple[Row, ...]
    head: Head


class Delivery(Struct, frozen=True, kw_only=True):
    """One message for one mailbox: what :meth:`IMailStore.deliver` writes.

    :ivar spool_sequence: lets delivered ids be pruned below the spool's low-water mark.
    :ivar imported_id: the unique-id that an imported message brings; empty for others.
    """

    delivery_id: DeliveryId
    spool_sequence: int
    generation: int
    octets: int
    body_id: BodyId
    sealed_octets: int
    wrap: bytes
    summary: bytes
    body: bytes | None = None
    imported_id: str = ""


class StoredMessage(Struct, frozen=True, kw_only=True):
    """What opening a message needs: the wrap, the summary and a reader of the sealed body."""

    row: Row
    wrap: bytes
    summary: bytes
    body: Any


class Usage(Struct, frozen=True, kw_only=True):
    """What a mailbox holds: visible messages and their octets."""

    messages: int = 0
    octets: int = 0


class Filling(NamedTuple):
    """How full a mailbox is.

    :ivar octets: of its visible messages.
    :ivar full_since: since when it is known to be full, in seconds since the epoch; 0 when it is not.
    """

    octets: int = 0
    full_since: int = 0


class Deleted(Struct, frozen=True, kw_only=True):
    """A deleted message that its owner may still have back."""

    row: Row
    moment: int


class MailboxStatus(Struct, frozen=True, kw_only=True):
    """What an operator is told of one mailbox.

    :ivar usage: what counts against the quota.
    :ivar deleted: what is kept of deleted messages, outside the quota.
    :ivar full_since: since when it has been full; 0 when it is not.
    :ivar disk_octets: what it takes on disk, a body that others share counted whole.
    """

    usage: Usage
    deleted: Usage
    full_since: int
    disk_octets: int


class Verified(Struct, frozen=True, kw_only=True):
    """What a look at a mailbox found. It is sound when there are no problems."""

    messages: int
    deleted: int
    octets: int
    problems: tuple[str, ...]


#: Looks at one message without any reader's key: (its row, its wrap, octets and SHA-256 of its sealed body). Returns
#: what is wrong with it, in words, or nothing.
Examine = Callable[[Row, bytes, int, bytes], str]


class IMailStore(Interface):
    """The mailboxes.

    A mailbox is made by the first thing that is written to it; until then it is empty. What is written is one synced
    transaction, all or nothing; after :class:`Unavailable` with ``maybe_committed`` it may be asked for again, and is
    done once. A mailbox that is damaged fails alone, with :class:`Damaged`.
    """

    def deliver(mailbox: MailboxId, batch: Sequence[Delivery], low_water: int) -> "Deferred[None]":
        """Write *batch* in one synced transaction: rows, usage and delivered ids.

        Idempotent by delivery id, for a message that was deleted meanwhile too; never refuses for quota. Delivered ids
        with a spool sequence below *low_water* are pruned: the spool will not hand them out again.

        :raises Missing: when the spool has not the body of one; nothing is written.
        :raises Altered: when the mailbox was put back to an earlier state.
        """

    def import_messages(mailbox: MailboxId, batch: Sequence[Delivery]) -> "Deferred[int]":
        """Append messages that come from elsewhere and keep the unique-id they had; fires with how many are new.

        Idempotent by delivery id and by unique-id: one that is here already, deleted and kept or not, stays as it is.

        :raises ValueError: when an ``imported_id`` is not 1 to 70 characters from ``!`` to ``~`` (RFC 1939 §7).
        :raises Missing: when a body is not in the spool.
        """

    def list(mailbox: MailboxId, member: AccountId | None = None, *, as_it_is: bool = False) -> "Deferred[MailboxList]":
        """The rows, without those that *member* hid; a mailbox nothing was delivered to has none.

        :param as_it_is: the rows that are there, also of a mailbox that is not what was written to it.
        :raises Altered: when a row was put in, taken away, exchanged or moved, or the mailbox was put back to an
            earlier state. Such a mailbox is not written to either, until it is accepted or restored.
        """

    def open(mailbox: MailboxId, delivery_id: DeliveryId) -> "Deferred[StoredMessage]":
        """A message that is listed, to be streamed. Its reader must be closed.

        :raises Missing: when the message is not there (any more).
        """

    def delete(
        mailbox: MailboxId, delivery_ids: Sequence[DeliveryId], lease: "ILease | None" = None
    ) -> "Deferred[None]":
        """Take messages off the list and the usage, all in one synced transaction or none.

        They are kept, and can be had back, until :meth:`purge`. What is not listed is left alone.

        :param lease: the maildrop this is done under.
        :raises LeaseLost: when *lease* is not held any more.
        """

    def deleted(mailbox: MailboxId) -> "Deferred[Sequence[Deleted]]":
        """The deleted messages that are kept, in the order they were delivered."""

    def undelete(mailbox: MailboxId, delivery_ids: Sequence[DeliveryId]) -> "Deferred[int]":
        """Put deleted messages back where they were in the list, with the unique-id they had; fires with how many.

        What is not kept as deleted is left alone. Never refuses for quota.
        """

    def hide(
        mailbox: MailboxId, member: AccountId, delivery_ids: Sequence[DeliveryId], lease: "ILease | None" = None
    ) -> "Deferred[None]":
        """Leave messages of a shared mailbox out of *member*'s list from now on; for others nothing changes.

        :raises LeaseLost: when *lease* is not held any more.
        """

    def unhide(mailbox: MailboxId, member: AccountId) -> "Deferred[int]":
        """Show *member* everything again; fires with how many listed messages were hidden."""

    def purge(before: int) -> "Deferred[int]":
        """Destroy what was deleted before the moment *before*, in every mailbox, in slices; fires with how many.

        A body goes with the last mailbox that keeps it. A mailbox that cannot be written is logged and left out.
        """

    def usage(mailbox: MailboxId) -> "Deferred[Usage]":
        """What *mailbox* holds now: what is listed, deleted and kept messages not counted."""

    def filling(mailbox: MailboxId) -> "Deferred[Filling]":
        """How full *mailbox* is now; asked before each message for it is taken."""

    def full(mailbox: MailboxId, moment: int) -> "Deferred[int]":
        """Note that *mailbox* was found full at *moment*, or with 0 that it is not, for whoever decides about quotas.

        Fires with the moment since when it has been full, 0 when it is not. Written only when that changes.
        """

    def status(mailbox: MailboxId) -> "Deferred[MailboxStatus]":
        """What an operator is told of *mailbox*."""

    def mailboxes() -> "Deferred[Sequence[MailboxId]]":
        """Every mailbox that something was written to, in order, damaged ones included."""

    def lease(mailbox: MailboxId, member: AccountId) -> "Deferred[Any]":
        """Take the maildrop (mailbox, member); fires with an :class:`ILease`. Nobody holds it when this fails.

        :raises LeaseTaken: while another session, here or in another process, holds it.
        """

    def prune(low_water: int) -> "Deferred[int]":
        """Forget delivered ids with a spool sequence below *low_water*; returns how many mailboxes were looked at."""

    def export(mailbox: MailboxId, to: BinaryIO) -> "Deferred[None]":
        """Write all of *mailbox* to *to* as it is at one moment, while it is in use: ciphertext only.

        ``docs/specifications/stores.md`` describes the form, which is the same for every back end. *to* is written
        from another thread.

        :raises Damaged: when something cannot be read; what was written is not a whole export.
        """

    def restore(mailbox: MailboxId, source: BinaryIO, *, replace: bool = False) -> "Deferred[None]":
        """Make *mailbox* what an export holds: list, unique-ids, deleted and hidden messages, everything or nothing.

        :param replace: destroy the mailbox that is there. One in quarantine is kept beside it, for whoever looks into
            it, until the mailbox is destroyed.
        :raises MailboxExists: when there is one and it is not to be replaced.
        :raises Damaged: when *source* is not a whole, untouched export of *mailbox*.
        """

    def verify(mailbox: MailboxId, examine: Examine) -> "Deferred[Verified]":
        """Look at all of *mailbox*, bodies included: structure, chain, lengths, usage; *examine* sees each message.

        Never fails for what it finds, and changes nothing. Works without a running service, and beside one; on a
        mailbox in quarantine too.
        """

    def accept(mailbox: MailboxId) -> "Deferred[int]":
        """Go on with an altered mailbox as it is, in a new edition of its list; fires with how many it lists.

        What is neither listed nor deleted of what it keeps counts as deleted now, so that its owner may have it back.
        """

    def destroy(mailbox: MailboxId) -> "Deferred[None]":
        """Remove everything of *mailbox*, bodies that nobody else keeps included, whoever uses it. Idempotent."""


class ILease(Interface):
    """A maildrop held by one session."""

    fence = Attribute("A number that rises with every lease of this maildrop, over all processes of one machine.")

    held = Attribute("Whether it is held still.")

    def release() -> None:
        """Give the maildrop back. Idempotent; the end of the process does it too."""
