"""Shared mailboxes: who reads, deletes and sends in them; deleted and had back."""

import msgspec

from cjsm.community import states
from cjsm.community.acts.acting import By, changed, check_owner_not_deleted, check_text, entry_of, existing, made_in
from cjsm.community.acts.destruction import check_still_there
from cjsm.community.acts.keys import MailboxStep, stepped
from cjsm.community.acts.naming import new_address
from cjsm.community.acts.reasons import check_note, check_reason
from cjsm.community.address import Address
from cjsm.community.authority import Action, Permission, may, may_manage_members, require
from cjsm.community.errors import BadValue, Conflict, NotAllowed, NotFound, Overtaken
from cjsm.community.finding import path_of
from cjsm.community.identifiers import AccountId, MailboxId, OrganisationId
from cjsm.community.records import Account, AccountKind, Life, MailboxRight, OwnerKind, SharedMailbox, SharedMember
from cjsm.community.sharing import lasting_readers
from cjsm.community.view import Change, View


def existing_mailbox(view: View, mailbox: MailboxId) -> SharedMailbox:
    """Return the shared mailbox, to be changed.

    :raises NotFound: when there is none.
    :raises Conflict: when it is deleted.
    """
    found = kept_mailbox(view, mailbox)
    check_owner_not_deleted(view, found)
    return found


def kept_mailbox(view: View, mailbox: MailboxId) -> SharedMailbox:
    """Return the shared mailbox, deleted or not.

    :raises NotFound: when there is none.
    """
    found = view.kept_shared_mailbox(mailbox)
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
    if not _same_top(view, account, organisation):
        raise Conflict("this user is of another organisation", "share with people of one top organisation")


def _same_top(view: View, account: Account, organisation: OrganisationId) -> bool:
    return states.top_of(view, account.organisation) == states.top_of(view, organisation)


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


def delete(view: View, by: By, mailbox: MailboxId, *, note: str = "") -> Change:
    """Delete a shared mailbox, as an account is: for a time it can be had back. Its managers may not; needs a reason.

    :param note: an administrator's own words, kept with the mailbox and nowhere else.
    """
    found = kept_mailbox(view, mailbox)
    permission = require(may(view, by.actor, Action.MANAGE_SHARED_MAILBOXES, found.organisation))
    check_owner_not_deleted(view, found)
    check_reason(by.reason)
    made = _in_life(view, by, found, Life.DELETED, note)
    return _done(view, by, made, permission, "shared-deleted", None)


def staying(view: View, found: SharedMailbox) -> tuple[SharedMember, ...]:
    """Return who is a member of a deleted shared mailbox when it is back: whoever can be one still."""

    def can(member: SharedMember) -> bool:
        account = view.account(member.account)
        return account is not None and _same_top(view, account, found.organisation)

    return tuple(filter(can, found.members))


def undelete(
    view: View, by: By, mailbox: MailboxId, members: tuple[SharedMember, ...], step: MailboxStep, within: int | None
) -> Change:
    """Have a deleted shared mailbox back with its mail and its members.

    Those who can be members no longer are left out, others may have begun new keys meanwhile: so its own begin anew.

    :param members: who :func:`staying` said would stay when the keys were made.
    :param step: the new generation, which those of them who read are granted.
    :param within: seconds for which it can be had back; None: as long as its keys are there.
    """
    found = kept_mailbox(view, mailbox)
    permission = require(may(view, by.actor, Action.MANAGE_SHARED_MAILBOXES, found.organisation))
    if states.takes_mail(found):
        raise Conflict(f"the shared mailbox {found.slug} is not deleted", "see `cjsm shared show`")
    check_still_there(view, found, within)
    if not lasting_readers(view, members):
        raise Conflict("nobody is left who could read this mailbox", _reader_back(view, found))
    if members != staying(view, found):
        raise Overtaken("the members of this mailbox changed at the same moment", "try again")
    left = tuple(each.account for each in found.members if each not in members)
    made = msgspec.structs.replace(
        _in_life(view, by, stepped(found, step, view.moment), Life.ACTIVE, ""),
        members=members,
        managers=tuple(each for each in found.managers if each not in left),
        version=found.version + 1,
    )
    told = {"left": " ".join(each.hex() for each in left)} if left else {}
    return _done(view, by, made, permission, "shared-undeleted", step, **told)


def _reader_back(view: View, found: SharedMailbox) -> str:
    """Return how somebody who read a shared mailbox can read it again."""
    readers = [view.account(each.account) for each in found.members if MailboxRight.READ in each.rights]
    # Somebody who is deleted and elsewhere has two steps to go: others first.
    there = sorted((each for each in readers if each is not None), key=lambda each: not states.takes_mail(each))
    gone = next((each for each in there if _same_top(view, each, found.organisation)), None)
    away = next((each for each in there if not _same_top(view, each, found.organisation)), None)
    ways = []
    if gone is not None:
        ways.append(f"have one of its readers back: cjsm user undelete {gone.user_id}")
    if away is not None:
        ways.append(f"move one back: cjsm user move {away.user_id} {path_of(view, found.organisation)}")
    return "; or ".join(ways) or "make another one: cjsm shared add"


def _in_life(view: View, by: By, found: SharedMailbox, life: Life, note: str) -> SharedMailbox:
    return changed(found, life=life, state_reason=by.reason, state_note=check_note(note), state_since=view.moment)


def _changed(
    view: View, found: SharedMailbox, members: tuple[SharedMember, ...], step: MailboxStep | None
) -> SharedMailbox:
    if not lasting_readers(view, members):
        raise Conflict("nobody would be left to read this mailbox", "let somebody else join it first")
    readers = {each.account for each in members if MailboxRight.READ in each.rights}
    before = {each.account for each in found.members if MailboxRight.READ in each.rights}
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
