"""Shared mailboxes: who reads, deletes and sends in them."""

import msgspec

from cjsm.community import states
from cjsm.community.acts.acting import By, changed, check_text, entry_of, existing, made_in
from cjsm.community.acts.keys import MailboxStep, stepped
from cjsm.community.acts.naming import new_address
from cjsm.community.address import Address
from cjsm.community.authority import Action, Permission, may, may_manage_members, require
from cjsm.community.errors import BadValue, Conflict, NotAllowed, NotFound
from cjsm.community.identifiers import AccountId, MailboxId, OrganisationId
from cjsm.community.records import AccountKind, Life, MailboxRight, OwnerKind, SharedMailbox, SharedMember
from cjsm.community.view import Change, View


def existing_mailbox(view: View, mailbox: MailboxId) -> SharedMailbox:
    """Return the shared mailbox.

    :raises NotFound: when there is none.
    """
    found = view.shared_mailbox(mailbox)
    if found is None:
        raise NotFound("there is no such shared mailbox", "see `cjsm shared list`")
    return found


def add(view: View, by: By, shared: SharedMailbox, address: Address) -> Change:
    """Add a shared mailbox with its address; key version ``shared.keys`` holds its generation."""
    permission = require(may(view, by.actor, Action.MANAGE_SHARED_MAILBOXES, shared.organisation))
    record = new_address(view, shared.slug, shared.organisation, address, OwnerKind.SHARED_MAILBOX, shared.id)
    made = msgspec.structs.replace(shared, name=check_text(shared.name, "a name"), created=view.moment)
    entry = entry_of(view, by, "shared-mailbox-add", "shared-mailbox", made.id, permission)
    return Change(put=(made, record), entry=made_in(made.organisation, entry))


def change(
    view: View,
    by: By,
    mailbox: MailboxId,
    *,
    name: str | None = None,
    notice: bool | None = None,
    ex_directory: bool | None = None,
    managers: tuple[AccountId, ...] | None = None,
) -> Change:
    """Change what is given; *managers* replaces them all. Who reads changes with keys only: see :func:`join`.

    :param notice: whether members are told of new mail: the mailbox's managers may change that alone.
    """
    found = existing_mailbox(view, mailbox)
    permission = may(view, by.actor, Action.MANAGE_SHARED_MAILBOXES, found.organisation)
    if not permission.allowed and name is None and ex_directory is None and managers is None:
        permission = may_manage_members(view, by.actor, found)
    require(permission)
    changes: dict[str, object] = {}
    if name is not None:
        changes["name"] = check_text(name, "a name")
    if notice is not None:
        changes["notice"] = notice
    if ex_directory is not None:
        changes["ex_directory"] = ex_directory
    if managers is not None:
        for account in set(managers) - set(found.managers):
            _check_manager(view, found, account)
        changes["managers"] = managers
    if not changes:
        raise BadValue("nothing is to be changed", "see `cjsm shared change --help`")
    made = changed(found, **changes)
    return _done(view, by, made, permission, "shared-change", None, changed=" ".join(sorted(changes)))


def _check_manager(view: View, found: SharedMailbox, account: AccountId) -> None:
    """Managers are members, as those whom :func:`join` makes such: who leaves manages no longer."""
    manager = existing(view, account)
    if member_of(found, account) is None:
        raise Conflict(f"{manager.user_id} is no member, and only members manage a shared mailbox")


def member_of(shared: SharedMailbox, account: AccountId) -> SharedMember | None:
    """Return the account's membership, if it has one."""
    return next((member for member in shared.members if member.account == account), None)


def check_member(view: View, organisation: OrganisationId, member: SharedMember) -> None:
    """Check that somebody can be a member of a shared mailbox of *organisation*.

    :raises CommunityError: when the account or its rights are not such.
    """
    account = existing(view, member.account)
    if not member.rights or len(set(member.rights)) != len(member.rights):
        raise BadValue("a member has at least one right", f"give some of {', '.join(MailboxRight)}")
    if account.life in (Life.DELETED, Life.SUSPENDED):
        raise Conflict(f"this user is {account.life}", "resume or undelete the user first")
    if account.kind is not AccountKind.HOSTED:
        raise Conflict("this user's mail is kept elsewhere: there is no key to read with", "name somebody hosted here")
    if states.top_of(view, account.organisation) != states.top_of(view, organisation):
        raise Conflict("this user is of another organisation", "share with people of one top organisation")


def join(
    view: View,
    by: By,
    mailbox: MailboxId,
    member: SharedMember,
    step: MailboxStep | None,
    *,
    manager: bool = False,
    most: int = 500,
) -> Change:
    """Let somebody join, or have other rights from now on.

    :param step: the new generation, which every reader is granted; None where the readers stay who they are.
    :param manager: also to manage the members.
    :param most: how many members there may be.
    """
    found = existing_mailbox(view, mailbox)
    permission = require(may_manage_members(view, by.actor, found))
    check_member(view, found.organisation, member)
    others = tuple(each for each in found.members if each.account != member.account)
    if len(others) >= most:
        raise Conflict(f"a shared mailbox has at most {most} members", "use a list, or raise keys.shared_members")
    made = _changed(view, found, (*others, member), step)
    if manager and member.account not in made.managers:
        made = msgspec.structs.replace(made, managers=(*made.managers, member.account))
    told = {"member": member.account.hex(), "rights": " ".join(sorted(member.rights))}
    return _done(view, by, made, permission, "shared-join", step, **told, **({"manager": "yes"} if manager else {}))


def leave(view: View, by: By, mailbox: MailboxId, account: AccountId, step: MailboxStep | None) -> Change:
    """Take somebody out, who may do it too; what comes from now on is sealed to the others alone."""
    found = existing_mailbox(view, mailbox)
    permission = may_manage_members(view, by.actor, found)
    if not permission.allowed and by.actor == account and states.may_act(view, existing(view, account)):
        permission = Permission(True, "one's own")
    require(permission)
    if member_of(found, account) is None:
        raise NotFound("this user is no member", "see `cjsm shared show`")
    kept = tuple(each for each in found.members if each.account != account)
    made = _changed(view, found, kept, step)
    managers = tuple(each for each in made.managers if each != account)
    made = msgspec.structs.replace(made, managers=managers)
    return _done(view, by, made, permission, "shared-leave", step, member=account.hex())


def open_old(view: View, by: By, step: MailboxStep, released: tuple[tuple[AccountId, int], ...]) -> Change:
    """Release old generations to members who wait for them; somebody who reads them does it, nobody else can.

    :param released: (member, generation) pairs that the new keys grant.
    """
    found = existing_mailbox(view, step.mailbox)
    reader = member_of(found, by.actor) if by.actor is not None else None
    reads = reader is not None and MailboxRight.READ in reader.rights
    if by.actor is None or not reads or not states.may_act(view, existing(view, by.actor)):
        raise NotAllowed("only who reads this mailbox can open its old mail to others", "let such a member do it")
    made = _changed(view, found, found.members, step)
    told: dict[str, str] = {}
    for account, generation in released:
        member = member_of(found, account)
        if member is None or MailboxRight.READ not in member.rights or generation < member.first:
            raise Conflict("who should read old mail is no reader of it any more", "try again")
        told[account.hex()] = " ".join(filter(None, (told.get(account.hex()), str(generation))))
    permission = Permission(True, "reads this mailbox")
    return _done(view, by, made, permission, "shared-open", step, **told)


def _changed(
    view: View, found: SharedMailbox, members: tuple[SharedMember, ...], step: MailboxStep | None
) -> SharedMailbox:
    readers = {each.account for each in members if MailboxRight.READ in each.rights}
    before = {each.account for each in found.members if MailboxRight.READ in each.rights}
    if not readers:
        raise Conflict("nobody would be left to read this mailbox", "let somebody else join it first")
    if step is None and readers != before:
        raise BadValue("who reads a mailbox changes with its keys only")
    made = stepped(found, step, view.moment) if step is not None else found
    return msgspec.structs.replace(
        made, members=tuple(sorted(members, key=lambda each: each.account)), version=found.version + 1
    )


def _done(
    view: View,
    by: By,
    made: SharedMailbox,
    permission: Permission,
    act: str,
    step: MailboxStep | None,
    **told: str,
) -> Change:
    if step is not None:
        told |= {"generation": str(step.generation), "key": step.digest}
    return Change(put=(made,), entry=entry_of(view, by, act, "shared-mailbox", made.id, permission, **told))
