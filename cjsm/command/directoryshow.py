"""``cjsm directory show``: one entry, with all that whoever asks may read of it."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import rich_click as click

from cjsm.command import acting
from cjsm.command.context import open_suite
from cjsm.command.directoryentries import excerpt, told
from cjsm.command.output import Refused, facts
from cjsm.community import finding, states
from cjsm.community.errors import NotFound
from cjsm.community.identifiers import AccountId, ListId, MailboxId
from cjsm.community.records import Account, MailList, Organisation, OwnerKind, SharedMailbox
from cjsm.community.view import View
from cjsm.directory import entries, names, schema
from cjsm.directory.excerpt import Chain, Excerpt, Found
from cjsm.directory.query import And, Equal, Filter
from cjsm.directory.sieve import ALL, Sieve, sieve

_Owner = Account | SharedMailbox | MailList | Organisation


class _Wanted(NamedTuple):
    """Where an entry is to be looked for: an organisation's own without a filter, the community's without a chain."""

    chain: Chain
    filter: "Filter | None" = None
    kept: Sieve = ALL


@click.command()
@click.argument("name")
@acting.verb
def show(name: str, config: Path, as_json: bool) -> None:
    """Show the entry NAME with all that may be read of it: a user ID, an address, an organisation's path, or a
    distinguished name as LDAP has them.

    With --as what that user may see: states and members of lists are for those who administer or support, mobile
    numbers for the own organisation. What may not be seen is not there.

    \b
    cjsm directory show jane.smith@avon
    cjsm directory show all-crime@avon.cjsm.example --as olive.marsh@avon
    cjsm directory show uid=jane.smith,ou=crime,o=avon-police,dc=cjsm,dc=example --json
    """
    suite = open_suite(config)
    directory = excerpt(suite)
    try:
        wanted = suite.stores.community.read_now(
            lambda view: _by_dn(view, name) if "=" in name else _by_name(view, name)
        )
    except names.BadName as error:
        raise Refused(f"{name!r} is no distinguished name: {error}", "see RFC 4514, or name a user ID") from None
    found = _entry(directory, wanted) if wanted is not None else None
    if found is None:
        raise NotFound(f"there is no entry {name!r}, or not for you", "see `cjsm directory search --help`")
    entry = told(found)
    facts({label: value for label, value in entry.items() if as_json or value is not None}, as_json=as_json)


def _entry(directory: Excerpt, wanted: _Wanted) -> Found | None:
    if not wanted.chain:
        return directory.root()
    if wanted.filter is None:
        return directory.organisation(wanted.chain)
    return next(directory.search([wanted.chain], wanted.filter, wanted.kept), None)


def _by_name(view: View, name: str) -> _Wanted | None:
    owner = _owner(view, name.lower())
    if owner is None:
        return None
    if isinstance(owner, Organisation):
        return _Wanted(_chain(view, owner))
    called = Equal("uid", owner.user_id) if isinstance(owner, Account) else Equal("cn", owner.slug)
    identity = Equal("entryUUID", str(entries.identity(owner.id)))
    place = view.organisation(owner.organisation)
    return _Wanted(_chain(view, place), And((called, identity)), sieve(called, schema.load())) if place else None


def _owner(view: View, name: str) -> _Owner | None:
    account = view.account_of_user_id(name)
    record = view.address(name) if account is None else None
    if record is not None:
        owners: dict[OwnerKind, Callable[[], _Owner | None]] = {
            OwnerKind.ACCOUNT: lambda: view.account(AccountId(record.owner)),
            OwnerKind.LIST: lambda: view.mail_list(ListId(record.owner)),
            OwnerKind.SHARED_MAILBOX: lambda: view.kept_shared_mailbox(MailboxId(record.owner)),
        }
        return owners[record.owner_kind]()
    with suppress(NotFound):
        return account or finding.organisation_of(view, name)
    return None


def _by_dn(view: View, text: str) -> _Wanted | None:
    """Where the entry with a distinguished name, in either context, would be.

    :raises BadName: when it is none.
    """
    name, base = names.parse(text), names.parse(names.of_suffix(view.suffix))
    if name[1:] == names.parse(entries.PEOPLE) and len(name[0]) == 1:
        return _by_name(view, name[0][0][1])
    if name[-len(base) :] != base:
        return None
    slugs: list[str] = []
    for relative in reversed(name[: -len(base)]):
        kind, value = relative[0]
        if kind not in ("o", "ou"):
            return _leaf(view, slugs, text, Equal("uid" if kind == "uid" else "cn", value))
        slugs.append(value)
    with suppress(NotFound):
        return _Wanted(_chain(view, finding.organisation_of(view, "/".join(slugs)))) if slugs else _Wanted(())
    return None


def _leaf(view: View, slugs: list[str], text: str, called: Equal) -> _Wanted | None:
    with suppress(NotFound):
        place = finding.organisation_of(view, "/".join(slugs))
        # A list or shared mailbox whose short name is taken beside it has more in its name than it is called.
        kept = sieve(called, schema.load()) if called.attribute == "uid" else ALL
        return _Wanted(_chain(view, place), Equal("entryDN", text), kept)
    return None


def _chain(view: View, organisation: Organisation) -> Chain:
    return tuple(states.chain(view, organisation.id))[::-1]
