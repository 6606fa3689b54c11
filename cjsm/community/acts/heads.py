"""What the service notes by itself of the lists of mailboxes: where they stand, and that one is not what it was."""

from cjsm.community.identifiers import ActId, MailboxId
from cjsm.community.records import LedgerEntry

#: The acts' names in the ledger.
ANCHORED = "heads-anchored"
NOTICED = "mailbox-noticed"


def anchored(act_id: ActId, moment: int, root: bytes, changed: int) -> LedgerEntry:
    """Return the entry with the *root* over the heads of every mailbox's list, of which some *changed*."""
    return _entry(act_id, ANCHORED, moment, "mailboxes", b"", mailboxes=str(changed), root=root.hex())


def noticed(act_id: ActId, moment: int, mailbox: MailboxId, problem: str) -> LedgerEntry:
    """Return the entry that says that a mailbox was found to be other than it must be; *problem* says how."""
    return _entry(act_id, NOTICED, moment, "mailbox", mailbox, problem=problem)


def _entry(act_id: ActId, act: str, moment: int, kind: str, subject: bytes, **details: str) -> LedgerEntry:
    """Return an entry of the service's own, for which no view is looked at."""
    return LedgerEntry(
        act_id=act_id,
        act=act,
        moment=moment,
        actor=b"",
        subject_kind=kind,
        subject=subject,
        reason="",
        organisation=b"",
        details=tuple(sorted(details.items())),
    )
