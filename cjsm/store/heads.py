"""Heads of mailboxes' lists, and what is known of them away from the mailboxes: by the minute in the ledger.

Rooms import these from :mod:`cjsm.store.interfaces`.
"""

from collections.abc import Callable, Sequence

from msgspec import Struct, structs
from twisted.internet.defer import Deferred
from zope.interface import Interface

from cjsm.community.identifiers import ActId, MailboxId
from cjsm.community.records import LedgerEntry


class Head(Struct, frozen=True, kw_only=True):
    """Where a mailbox's list stands: what was appended, deleted and put back so far, and the running hash of the
    appends. No number ever falls within one *edition*; a new one begins when the mailbox is restored from an export, or
    destroyed.
    """

    appended: int = 0
    deleted: int = 0
    chain: bytes = bytes(32)
    undeleted: int = 0
    edition: int = 0

    @property
    def listed(self) -> int:
        """How many rows the list must have."""
        return self.appended - self.deleted + self.undeleted

    def newest(self, other: "Head") -> "Head":
        """Return what is known when both are: of one edition the highest numbers, else the later edition."""
        if self.edition != other.edition:
            return max(self, other, key=lambda each: each.edition)
        ahead = max(self, other, key=lambda each: each.appended)
        deleted, undeleted = max(self.deleted, other.deleted), max(self.undeleted, other.undeleted)
        return structs.replace(ahead, deleted=deleted, undeleted=undeleted)

    def behind(self, known: "Head") -> bool:
        """Whether a list that stands here is not what it was when it stood at *known*."""
        if self.edition != known.edition:
            return self.edition < known.edition
        older = self.appended < known.appended or self.deleted < known.deleted or self.undeleted < known.undeleted
        return older or (self.appended == known.appended > 0 and self.chain != known.chain)


class Anchored(Struct, frozen=True, kw_only=True):
    """What the community's store has of one mailbox.

    :ivar head: the head that the ledger's entry *entry* covers with others; nothing while that is 0.
    :ivar editions: the latest edition of the list that acts explain: restoring, accepting, destroying.
    """

    head: Head = Head()
    entry: int = 0
    editions: int = 0


class Known(Struct, frozen=True, kw_only=True):
    """What is known of a mailbox's list away from the mailbox.

    :ivar head: the newest head, which may be a second old.
    :ivar anchored: what the ledger covers, which may be a minute old; None where it covers nothing.
    """

    head: Head = Head()
    anchored: Anchored | None = None

    @property
    def newest(self) -> Head:
        """The newest head of both."""
        return self.head if self.anchored is None else self.head.newest(self.anchored.head)


class Noticed(Struct, frozen=True, kw_only=True):
    """A mailbox that was found to be other than it must be, and when that was; *problem* says how, in words."""

    mailbox: MailboxId
    problem: str
    moment: int


class Anchoring(Struct, frozen=True, kw_only=True):
    """What became of heads that were to be anchored: how many were, and the mailboxes whose heads may not be."""

    changed: int = 0
    refused: tuple[tuple[MailboxId, str], ...] = ()


class IAnchors(Interface):
    """The heads of mailboxes' lists, remembered away from the mailboxes."""

    def anchor(mailbox: MailboxId, head: Head) -> None:
        """Remember the newest head of a mailbox's list; merged and written within a second."""

    def anchored(mailbox: MailboxId) -> Head:
        """The newest head remembered: a mailbox whose own is older was put back to an earlier state."""

    def unanchored(limit: int) -> "Deferred[Sequence[tuple[MailboxId, Head]]]":
        """At most *limit* mailboxes whose heads, as they are written, changed since they were last :meth:`settled`."""

    def settled(heads: "Sequence[tuple[MailboxId, Head]]") -> "Deferred[None]":
        """They are in the ledger: those that are still the newest are not handed out again."""


class ILedgerHeads(Interface):
    """The heads that the ledger covers; kept in the community's store, in the transaction of the entry that does."""

    def anchor_heads(
        heads: "Sequence[tuple[MailboxId, Head]]", entry: "Callable[[int, bytes, int], LedgerEntry]"
    ) -> "Deferred[Anchoring]":
        """Keep what is new in *heads*, and append one entry; nothing where nothing is new.

        :param entry: makes the entry of the moment, the root over the heads of every mailbox and how many changed.
        """

    def anchored_head(mailbox: MailboxId) -> "Anchored | None":
        """What the ledger covers of *mailbox*; None where that is nothing yet. Cheap: every sign-in asks."""

    def notice(act_id: ActId, found: Noticed, entry: LedgerEntry) -> "Deferred[bool]":
        """Keep what was found, and append *entry*, unless something is known of that mailbox already.

        It is known until an act begins a new edition of the mailbox's list.
        """

    def is_noticed(mailbox: MailboxId) -> bool:
        """Whether something is known of *mailbox*."""

    def noticed() -> "Deferred[Sequence[Noticed]]":
        """What is known, by mailbox."""

    def check_heads() -> "Deferred[str]":
        """Hold all anchored heads against the root in the last entry that has one; what is wrong, or nothing."""
