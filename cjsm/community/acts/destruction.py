"""The end of a deleted account or shared mailbox, in two commits: it is recorded as over, then keys and mail go, then
its name goes.
"""

from collections.abc import Iterator

from cjsm.community.acts.acting import By, changed, entry_of
from cjsm.community.acts.keys import ITSELF
from cjsm.community.acts.naming import given_up
from cjsm.community.authority import Permission
from cjsm.community.errors import Conflict, NotFound
from cjsm.community.identifiers import AccountId, MailboxId
from cjsm.community.records import Account, Life, MailList, OrganisationState, Record, SharedMailbox
from cjsm.community.states import organisation_state
from cjsm.community.view import Change, View

#: The acts' names in the ledger; a restored backup is gone through again for what these say.
ACT = "user-destroyed"
SHARED_ACT = "shared-destroyed"
MAILBOX = "mailbox"

Ending = Account | SharedMailbox


def ending(view: View, owner: bytes) -> Ending | None:
    """Return the account or shared mailbox, deleted or not, that *owner* identifies; None when it is no more."""
    return view.account(AccountId(owner)) or view.kept_shared_mailbox(MailboxId(owner))


def mailbox_of(owner: Ending) -> MailboxId | None:
    """Return the mailbox that ends with its owner."""
    return owner.mailbox if isinstance(owner, Account) else owner.id


def due(owner: Ending, before: int) -> bool:
    """Whether *owner* was deleted before a moment, or its destruction has begun."""
    return owner.life is Life.DELETED and (not owner.keys or owner.state_since < before)


def check_still_there(view: View, owner: Ending, within: int | None) -> None:
    """Check that somebody or something deleted can be had back.

    :param within: seconds for which it can; None: as long as its keys are there.
    :raises Conflict: when its time is over, its keys are destroyed, or its organisation, which was empty, is deleted.
    """
    late = within is not None and view.moment >= owner.state_since + within
    if isinstance(owner, Account):
        what, cure = "user", "add the user again"
        destroyed = not owner.keys or (owner.mailbox is not None and not owner.mailbox_keys)
    else:
        what, cure = "shared mailbox", "add another: cjsm shared add"
        destroyed = not owner.keys
    if late or destroyed:
        raise Conflict(f"the time to have this {what} back is over: the keys are destroyed", cure)
    if organisation_state(view, owner.organisation) is OrganisationState.DELETED:
        raise Conflict(
            f"the organisation of this {what} is deleted", "have that back first: cjsm organisation undelete"
        )


def check_given_up(view: View, owner: Ending, within: int) -> None:
    """Check that nobody can have *owner* back any more; *within* as above.

    :raises Conflict: when somebody can.
    """
    if owner.life is not Life.DELETED and isinstance(owner, Account):
        raise Conflict(f"this is the mailbox of {owner.user_id}, who is not deleted", "delete the user first")
    if owner.life is not Life.DELETED:
        raise Conflict("this is a shared mailbox that is in use", "delete it first: cjsm shared delete")
    name = owner.user_id if isinstance(owner, Account) else f"the shared mailbox {owner.slug}"
    left = owner.state_since + within - view.moment
    if left > 0:
        days = -(-left // 86_400)
        raise Conflict(
            f"{name} can be had back for {days} more days: until then the mailbox stays",
            "wait, or change keys.undelete",
        )


def begin(view: View, by: By, owner: bytes, before: int) -> Change:
    """Record that an account or shared mailbox ends: it names no keys any more and has no part in anything. The
    service's own act.

    :raises Conflict: when it was not deleted before the moment *before*, or has ended already.
    """
    found = ending(view, owner)
    if found is None:
        raise NotFound("there is no such user or shared mailbox")
    if not due(found, before) or not found.keys:
        raise Conflict("these keys are not to be destroyed")
    if isinstance(found, SharedMailbox):
        return give_up(view, by, found, ITSELF, job="destruction")
    ended = changed(found, keys=0, mailbox_keys=0, device_passwords=(), state_note="")
    told = {MAILBOX: found.mailbox.hex()} if found.mailbox is not None else {}
    entry = entry_of(view, by, ACT, "account", found.id, ITSELF, **told)
    removed = tuple(view.roles_of(found.id))
    editions = ((found.mailbox, 0),) if found.mailbox is not None else ()
    return Change(put=(ended, *_left(view, found)), removed=removed, entry=entry, editions=editions)


def give_up(view: View, by: By, found: SharedMailbox, permission: Permission, **told: str) -> Change:
    """Return the same of a shared mailbox that nobody can have back, done as *permission* says."""
    ended = changed(found, keys=0, members=(), managers=(), state_note="")
    told |= {MAILBOX: found.id.hex()}
    entry = entry_of(view, by, SHARED_ACT, "shared-mailbox", found.id, permission, **told)
    return Change(put=(ended, *_left(view, found)), entry=entry, editions=((found.id, 0),))


def finish(view: View, owner: bytes, reserved_for: int) -> Change:
    """Remove the account or shared mailbox once its keys are gone, and what the ledger's entries said of it in words;
    its addresses are nobody's for *reserved_for* seconds.

    The entry of :func:`begin` tells of it.
    """
    found = ending(view, owner)
    if found is None:
        return Change()
    if found.life is not Life.DELETED or found.keys:
        raise Conflict("these keys are still there")
    return Change(put=given_up(view, owner, reserved_for), removed=(found,), forgotten=(owner,))


def _left(view: View, gone: Ending) -> Iterator[Record]:
    """Yield the lists, and for a person the shared mailboxes, that *gone* was part of, without it."""
    addresses = {record.address for record in view.addresses_of(gone.id)}
    for found in view.lists():
        members = tuple(member for member in found.members if member not in addresses)
        yield from _changed(found, members, gone)
    for organisation in view.organisations() if isinstance(gone, Account) else ():
        for shared in view.kept_shared_mailboxes_in(organisation.id):
            kept = tuple(member for member in shared.members if member.account != gone.id)
            yield from _changed(shared, kept, gone)


def _changed(found: MailList | SharedMailbox, members: tuple[object, ...], gone: Ending) -> Iterator[Record]:
    managers = tuple(manager for manager in found.managers if manager != gone.id)
    if (members, managers) != (found.members, found.managers):
        yield changed(found, members=members, managers=managers)
