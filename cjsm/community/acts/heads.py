"""What the service notes by itself of the lists of mailboxes: where they stand, and that one is not what it was."""

from cjsm.community.acts.acting import service_entry
from cjsm.community.identifiers import ActId, MailboxId
from cjsm.community.records import LedgerEntry

#: The acts' names in the ledger.
ANCHORED = "heads-anchored"
NOTICED = "mailbox-noticed"


def anchored(act_id: ActId, moment: int, root: bytes, changed: int) -> LedgerEntry:
    """Return the entry with the *root* over the heads of every mailbox's list, of which some *changed*."""
    return service_entry(act_id, ANCHORED, moment, "mailboxes", b"", mailboxes=str(changed), root=root.hex())


def noticed(act_id: ActId, moment: int, mailbox: MailboxId, problem: str) -> LedgerEntry:
    """Return the entry that says that a mailbox was found to be other than it must be; *problem* says how."""
    return service_entry(act_id, NOTICED, moment, "mailbox", mailbox, problem=problem)
