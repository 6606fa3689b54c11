"""Shared mailboxes of a file: what needs no keys is done, deleting too, and for what does the command is named."""

import shlex
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import UNSET

from cjsm.community import finding
from cjsm.community.acts import shared
from cjsm.community.acts.quotas import set_quota
from cjsm.community.authority import Action, may_see_members, require
from cjsm.community.desired.differences import Changed, Difference, Step, Turn, What, at, calling, differing, place_of
from cjsm.community.desired.seeing import Seen
from cjsm.community.desired.tables import SharedTable
from cjsm.community.errors import BadValue
from cjsm.community.identifiers import MailboxId
from cjsm.community.records import MailboxRight, OwnerKind, SharedMailbox, SharedMember
from cjsm.community.states import takes_mail

_KIND = "shared"
Rights = tuple[MailboxRight, ...]


def told(seen: Seen, found: SharedMailbox) -> SharedTable:
    """Return the table of a shared mailbox."""
    members = ((seen.view.account(each.account), each.rights) for each in found.members)
    by_name = {account.user_id: _sorted(rights) for account, rights in members if account is not None}
    return SharedTable(
        organisation=seen.path(found.organisation),
        name=found.name,
        quota=found.quota,
        ex_directory=found.ex_directory,
        notice=found.notice,
        managers=seen.user_ids(found.managers),
        members=dict(sorted(by_name.items())),
    )


def _sorted(rights: Rights) -> Rights:
    return tuple(right for right in MailboxRight if right in rights)


def tables(seen: Seen) -> dict[str, SharedTable]:
    """Return the tables of those whose members are seen."""
    return {finding.primary_address(seen.view, found.id): told(seen, found) for found in _visible(seen)}


def _visible(seen: Seen) -> Iterator[SharedMailbox]:
    for organisation in seen.view.organisations():
        for found in seen.view.shared_mailboxes_in(organisation.id):
            if may_see_members(seen.view, seen.actor, found).allowed:
                yield found


def compare(seen: Seen) -> Iterator[Difference]:
    """Yield how the file's shared mailboxes differ, and what of it a file cannot do."""
    for address, table in sorted(seen.desired.shared.items()):
        with at(place_of(_KIND, address)):
            wanted = _normal(seen, table)
            record = seen.view.reserved_address(address)
            kind = record.owner_kind if record is not None else None
            found = seen.view.kept_shared_mailbox(MailboxId(record.owner)) if record else None
            if kind is not None and (kind is not OwnerKind.SHARED_MAILBOX or found is None):
                raise BadValue("this address is no shared mailbox's", "choose another")
            differences = _changed(seen, address, found, wanted) if found else [_new(address, wanted)]
        yield from differences
    yield from _removed(seen)


def _normal(seen: Seen, table: SharedTable) -> SharedTable:
    changes = seen.normal(table)
    if table.members is not UNSET:
        with at("members"):
            by_name = {finding.account_of(seen.view, name).user_id: _sorted(r) for name, r in table.members.items()}
        if len(by_name) != len(table.members):
            raise BadValue("members: somebody is there twice")
        changes["members"] = dict(sorted(by_name.items()))
    return msgspec.structs.replace(table, **changes)


def _new(address: str, wanted: SharedTable) -> Difference:
    first = next(iter(wanted.members or ()), "USER")
    place, slug = wanted.organisation or "ORGANISATION", address.partition("@")[0]
    cure = _command("add", place, slug, "--name", wanted.name or "NAME", "--member", first)
    return _elsewhere(address, cure)


def _elsewhere(address: str, cure: str) -> Difference:
    return Difference(what=What.ELSEWHERE, table=_KIND, key=address, cure=cure)


def _changed(seen: Seen, address: str, found: SharedMailbox, wanted: SharedTable) -> Iterator[Difference]:
    require(may_see_members(seen.view, seen.actor, found))
    if not takes_mail(found):
        yield _elsewhere(address, _command("undelete", address))
        return
    current = told(seen, found)
    if wanted.organisation not in (UNSET, current.organisation):
        raise BadValue("a shared mailbox stays with its organisation")
    changed = {each.name: each for each in differing(current, wanted)}
    rights, elsewhere = _members(current.members or {}, wanted.members, address)
    here = [each for name, each in changed.items() if name != "members"]
    here += [Changed(name=f"rights of {name}", before=was, after=shall) for name, was, shall in rights]
    if here:
        yield Difference(
            what=What.CHANGE,
            table=_KIND,
            key=address,
            changed=tuple(here),
            steps=tuple(_steps(seen, address, found, changed, rights)),
        )
    for cure in elsewhere:
        yield _elsewhere(address, cure)


def _members(
    current: dict[str, Rights], wanted: Any, address: str
) -> tuple[list[tuple[str, Rights, Rights]], list[str]]:
    """Return whose rights change without keys, and the commands for what needs them: who reads, joins and leaves."""
    if wanted is UNSET:
        return [], []
    rights, elsewhere = [], []
    for name, shall in wanted.items():
        was = current.get(name, ())
        if was and (MailboxRight.READ in was) is (MailboxRight.READ in shall):
            rights += [(name, was, shall)] if was != shall else []
        else:
            given = (word for right in shall for word in ("--right", right.value))
            elsewhere.append(_command("join", address, name, *given))
    elsewhere += [_command("leave", address, name) for name in current if name not in wanted]
    return rights, elsewhere


def _command(*words: str) -> str:
    """Return the command for people to copy: a shell takes each word as it is, whatever a file has in it."""
    return shlex.join(("cjsm", "shared", *words))


def _steps(
    seen: Seen,
    address: str,
    found: SharedMailbox,
    changed: dict[str, Changed],
    rights: list[tuple[str, Rights, Rights]],
) -> Iterator[Step]:
    values = {name: each.after for name, each in changed.items() if name not in ("members", "managers", "quota")}
    if "quota" in changed:
        act = calling(set_quota, found.id, changed["quota"].after, seen.quotas)
        yield Step(turn=Turn.SHARED, where=place_of(_KIND, address, "quota"), act=act)
    if "managers" in changed:
        managers = (finding.account_of(seen.view, name) for name in changed["managers"].after)
        values["managers"] = tuple(each.id for each in managers)
    if values:
        act = calling(shared.change, found.id, **values)
        yield Step(turn=Turn.SHARED, where=place_of(_KIND, address, " ".join(sorted(values))), act=act)
    for name, _, shall in rights:
        account = finding.account_of(seen.view, name).id
        first = next(each.first for each in found.members if each.account == account)
        member = SharedMember(account=account, rights=shall, first=first)
        act = calling(shared.join, found.id, member, None)
        yield Step(turn=Turn.SHARED, order=1, where=place_of(_KIND, address, f"members {name}"), act=act)


def _removed(seen: Seen) -> Iterator[Difference]:
    """Yield what is to be deleted; what is already is no difference."""
    others = (each for each in _visible(seen) if seen.sees(Action.MANAGE_SHARED_MAILBOXES, each.organisation))
    for address, where in seen.going(_KIND, "shared", others):
        with at(where):
            gone = finding.shared_mailbox_of(seen.view, address)
            require(may_see_members(seen.view, seen.actor, gone))
        if takes_mail(gone):
            step = Step(turn=Turn.REMOVALS, where=where, act=calling(shared.delete, gone.id))
            yield Difference(what=What.REMOVE, table=_KIND, key=address, steps=(step,))
