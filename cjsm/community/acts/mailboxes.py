"""What is done to a mailbox as a whole. The mailbox itself is the mail store's; here it is allowed and noted."""

from collections.abc import Callable, Iterable
from enum import StrEnum

import msgspec

from cjsm.community.acts.acting import By, changed, entry_of
from cjsm.community.acts.destruction import check_given_up, give_up
from cjsm.community.authority import Action, Permission, may, require
from cjsm.community.errors import BadValue
from cjsm.community.finding import owner_of
from cjsm.community.identifiers import AccountId, MailboxId, OrganisationId
from cjsm.community.records import Account
from cjsm.community.view import Change, View


class MailboxAct(StrEnum):
    """What is done to mailboxes."""

    VERIFY = "verify"
    BACK_UP = "backup"
    RESTORE = "restore"
    ACCEPT = "accept"
    IMPORT = "import"
    UNDELETE = "undelete"
    EXPORT = "export"


#: Acts that change nothing and show nobody's mail; the local operator keeps mailboxes safe with them.
_KEEPING = {MailboxAct.VERIFY: Action.VERIFY_MAILBOXES, MailboxAct.BACK_UP: Action.BACK_UP_MAILBOXES}
#: Acts that begin a mailbox's list anew.
_ANEW = frozenset({MailboxAct.RESTORE, MailboxAct.ACCEPT})
#: Acts that are done for a reason.
_REASONED = _ANEW | {MailboxAct.UNDELETE}
#: Acts of the person whose mail it is.
_OWN = frozenset({MailboxAct.UNDELETE, MailboxAct.EXPORT})


def keep(view: View, by: By, act: MailboxAct, mailbox: MailboxId | None) -> Change:
    """Note that a mailbox is verified or backed up; None for all of them.

    :raises NotAllowed: when the actor may not.
    """
    organisation, owner = _owner(view, mailbox)
    permission = require(may(view, by.actor, _KEEPING[act], organisation, account=owner))
    return Change(entry=entry_of(view, by, f"mailbox-{act}", "mailbox", mailbox or b"", permission))


def change(view: View, by: By, act: MailboxAct, mailbox: MailboxId, **details: str) -> Change:
    """Note that a mailbox is changed by somebody who looks after it, before it is.

    :raises NotAllowed: when the actor may not.
    :raises BadValue: when messages would be taken away, or brought back for somebody else, without a reason.
    """
    if act in _REASONED and not by.reason:
        raise BadValue("this needs a reason", "give one with --reason")
    organisation, owner = _owner(view, mailbox)
    permission = require(may(view, by.actor, Action.CHANGE_MAILBOXES, organisation, account=owner))
    return Change(entry=entry_of(view, by, f"mailbox-{act}", "mailbox", mailbox, permission, **details))


def begin_anew(view: View, by: By, act: MailboxAct, mailbox: MailboxId, edition: int = 0, **details: str) -> Change:
    """Note the same of an act that begins the mailbox's list anew: that it is another afterwards is no surprise.

    :param edition: the least that the list's edition may be afterwards.
    """
    if act not in _ANEW:
        raise ValueError(f"{act} begins no list anew")
    noted = change(view, by, act, mailbox, **details)
    return msgspec.structs.replace(noted, editions=((mailbox, edition),))


def own(view: View, by: By, act: MailboxAct, mailbox: MailboxId, **details: str) -> Change:
    """Note what somebody who has signed in does with a mailbox that is theirs to open.

    :raises NotAllowed: when the actor may not.
    """
    if act not in _OWN:
        raise ValueError(f"{act} is nobody's own act")
    acting = view.account(by.actor) if by.actor is not None else None
    organisation = acting.organisation if acting is not None else None
    permission = require(may(view, by.actor, Action.OWN_MAIL, organisation, account=by.actor))
    return Change(entry=entry_of(view, by, f"mailbox-{act}", "mailbox", mailbox, permission, **details))


def destroy(view: View, by: By, mailbox: MailboxId, undelete: int) -> Change:
    """Give a mailbox up for good: nothing names its keys any more. Its owner was deleted long enough ago, or is nobody.

    :param undelete: seconds for which somebody, or a shared mailbox, that was deleted can be had back.
    :raises Conflict: while it is somebody's.
    :raises BadValue: without a reason.
    """
    if not by.reason:
        raise BadValue("destroying a mailbox needs a reason", "give one with --reason")
    organisation, person = _owner(view, mailbox)
    permission = require(may(view, by.actor, Action.CHANGE_MAILBOXES, organisation, account=person))
    entry = entry_of(view, by, "mailbox-destroy", "mailbox", mailbox, permission)
    owner = owner_of(view, mailbox)
    if owner is None:
        return Change(entry=entry, editions=((mailbox, 0),))
    check_given_up(view, owner, undelete)
    if isinstance(owner, Account):
        return Change(put=(changed(owner, mailbox_keys=0),), entry=entry, editions=((mailbox, 0),))
    # Nothing but its mailbox makes a shared mailbox: it ends as a whole.
    return give_up(view, by, owner, permission)


def may_see(view: View, actor: AccountId | None, mailbox: MailboxId) -> Permission:
    """Decide whether *actor* may see how a mailbox is: it is theirs, or they look after those of its organisation."""
    organisation, owner = _owner(view, mailbox)
    shared = view.shared_mailbox(mailbox)
    members = {owner} if shared is None else {member.account for member in shared.members}
    if actor is not None and actor in members:
        return may(view, actor, Action.OWN_MAIL, organisation, account=actor)
    return may(view, actor, Action.SEE_MAILBOXES, organisation)


def those(view: View, mailboxes: Iterable[MailboxId], sees: Callable[[OrganisationId | None], bool]) -> list[MailboxId]:
    """Return those of *mailboxes* whose organisations are seen; one of nobody is the whole community's."""
    return [each for each in mailboxes if sees(_owner(view, each)[0])]


def check(view: View, actor: AccountId | None, act: MailboxAct, mailbox: MailboxId | None) -> None:
    """Ask whether *actor*, who looks after mailboxes, may do *act*, before anything is done; None for all of them.

    :raises NotAllowed: when not.
    """
    organisation, owner = _owner(view, mailbox)
    action = _KEEPING.get(act, Action.CHANGE_MAILBOXES)
    require(may(view, actor, action, organisation, account=owner))


def _owner(view: View, mailbox: MailboxId | None) -> tuple[OrganisationId | None, AccountId | None]:
    """Return the organisation and the person that a mailbox belongs to."""
    if mailbox is None:
        return None, None
    owner = owner_of(view, mailbox)
    if owner is None:
        return None, None
    return owner.organisation, owner.id if isinstance(owner, Account) else None
