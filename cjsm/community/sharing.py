"""Who opens which shared mailbox, and by what name (community §8)."""

from cjsm.community.identifiers import AccountId, MailboxId
from cjsm.community.records import Account, MailboxRight, OrganisationState, OwnerKind, SharedMailbox
from cjsm.community.states import chain, organisation_state
from cjsm.community.view import View


def named(view: View, account: Account, name: str) -> MailboxId | None:
    """Return the shared mailbox that *account* means by *name* and may read; None when there is none.

    :param name: its short name, which is looked for in the account's organisation, then upwards, then elsewhere; or its
        address.
    """
    if "@" in name:
        record = view.address(name)
        known = record is not None and record.owner_kind is OwnerKind.SHARED_MAILBOX
        mailbox = MailboxId(record.owner) if record is not None and known else None
        return mailbox if mailbox is not None and reads(view, account.id, mailbox) else None
    for organisation in chain(view, account.organisation):
        for shared in view.shared_mailboxes_in(organisation.id):
            if shared.slug == name and _reads(view, account.id, shared):
                return shared.id
    # A member may be of another part of the same top organisation.
    elsewhere = (found for found in view.shared_mailboxes_of(account.id) if found.slug == name)
    return next((found.id for found in elsewhere if _reads(view, account.id, found)), None)


def reads(view: View, account: AccountId, mailbox: MailboxId) -> bool:
    """Whether *account* may read the shared *mailbox* now."""
    shared = view.shared_mailbox(mailbox)
    return shared is not None and _reads(view, account, shared)


def _reads(view: View, account: AccountId, shared: SharedMailbox) -> bool:
    if organisation_state(view, shared.organisation) is not OrganisationState.ACTIVE:
        return False
    return any(member.account == account and MailboxRight.READ in member.rights for member in shared.members)
