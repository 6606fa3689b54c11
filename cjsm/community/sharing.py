"""Who opens which shared mailbox, and by what name (community §8)."""

from collections.abc import Iterable

from cjsm.community.identifiers import AccountId, MailboxId
from cjsm.community.records import Account, MailboxRight, OrganisationState, OwnerKind, SharedMailbox, SharedMember
from cjsm.community.states import chain, organisation_state, takes_mail
from cjsm.community.view import View


def named(view: View, account: Account, name: str) -> SharedMailbox | None:
    """Return the shared mailbox that *account* means by *name* and may read; None when there is none.

    :param name: its short name or its address. Short names are unique in one organisation only: that of the person's
        own goes first, then those above it.
    """
    if "@" in name:
        record = view.address(name)
        is_shared = record is not None and record.owner_kind is OwnerKind.SHARED_MAILBOX
        shared = view.shared_mailbox(MailboxId(record.owner)) if record is not None and is_shared else None
        return shared if shared is not None and _reads(view, account.id, shared) else None
    nearest = [organisation.id for organisation in chain(view, account.organisation)]

    def distance(shared: SharedMailbox) -> int:
        return nearest.index(shared.organisation) if shared.organisation in nearest else len(nearest)

    found = [each for each in view.shared_mailboxes_of(account.id) if each.slug == name]
    return next((each for each in sorted(found, key=distance) if _reads(view, account.id, each)), None)


def reads(view: View, account: AccountId, mailbox: MailboxId) -> bool:
    """Whether *account* may read the shared *mailbox* now."""
    shared = view.shared_mailbox(mailbox)
    return shared is not None and _reads(view, account, shared)


def lasting_readers(view: View, members: Iterable[SharedMember]) -> frozenset[AccountId]:
    """Return who of *members* reads and is not deleted: somebody has to be left who can open the mail to others."""
    reading = (view.account(each.account) for each in members if MailboxRight.READ in each.rights)
    return frozenset(each.id for each in reading if each is not None and takes_mail(each))


def _reads(view: View, account: AccountId, shared: SharedMailbox) -> bool:
    if organisation_state(view, shared.organisation) is not OrganisationState.ACTIVE:
        return False
    return any(member.account == account and MailboxRight.READ in member.rights for member in shared.members)
