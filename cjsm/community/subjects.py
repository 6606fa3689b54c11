"""What a ledger entry is about: of which organisation that is, and of which person."""

from cjsm.community.finding import owner_of
from cjsm.community.identifiers import AccountId, ConnectionId, ListId, MailboxId, OrganisationId
from cjsm.community.records import Account, Connection, MailList, SharedMailbox
from cjsm.community.view import View


def organisation_of_subject(view: View, kind: str, subject: bytes) -> OrganisationId | None:
    """Return the organisation that a *subject* of an entry belongs to now; None for the whole community, or when it is
    no more.
    """
    if kind == "organisation":
        return OrganisationId(subject)
    if kind == "domain":
        domain = view.domain(subject.decode(errors="replace"))
        return domain.organisation if domain is not None else None
    found = _record(view, kind, subject)
    return found.organisation if found is not None else None


def _record(view: View, kind: str, subject: bytes) -> Account | SharedMailbox | MailList | Connection | None:
    match kind:
        case "account":
            return view.account(AccountId(subject))
        case "mailbox" | "shared-mailbox":
            return owner_of(view, MailboxId(subject))
        case "list":
            return view.mail_list(ListId(subject))
        case "connection":
            return view.connection(ConnectionId(subject))
    return None


def person_of_subject(view: View, kind: str, subject: bytes) -> bytes:
    """Return whose words an entry about *subject* keeps: those of a mailbox are its owner's."""
    account = view.account_of_mailbox(MailboxId(subject)) if kind == "mailbox" else None
    return account.id if account is not None else subject
