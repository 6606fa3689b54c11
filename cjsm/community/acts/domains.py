"""Domains of connections: approved, suspended, resumed, removed, and the exceptions to the suffix rule."""

import msgspec

from cjsm.community import states
from cjsm.community.acts.acting import By, changed, check_text, entry_of, made_in
from cjsm.community.acts.connections import managed
from cjsm.community.acts.organisations import kept_organisation
from cjsm.community.address import Address, check_domain, has_suffix
from cjsm.community.authority import Action, may, require
from cjsm.community.errors import BadValue, Conflict, Exists, NotFound, quoted
from cjsm.community.identifiers import ConnectionId, OrganisationId
from cjsm.community.records import Connection, ConnectionState, Domain, DomainState, Life
from cjsm.community.view import Change, View

_EXCEPTIONS = 1_000
_DOMAINS = 2_000


def canonical_domain(view: View, name: str) -> str:
    """Return a connection's domain, given with or without the suffix, as it is kept: with it.

    :raises BadValue: when it is no domain outside the suffix, or too long with it.
    """
    plain = name.lower().removesuffix(f".{view.suffix}")
    check_domain(plain)
    if has_suffix(plain, view.suffix):
        raise BadValue(f"{plain} is the community's own", "give the organisation's own domain, such as firm.co.uk")
    told = f"{plain}.{view.suffix}"
    check_domain(told)
    return told


def add(
    view: View,
    by: By,
    name: str,
    connection: ConnectionId,
    *,
    listed_members_only: bool = False,
    organisation: OrganisationId | None = None,
) -> Change:
    """Approve a domain, given with or without suffix, for a connection.

    :param organisation: whose domain it is, where that is an organisation below the connection's.
    """
    found, permission = managed(view, by, connection)
    place = organisation if organisation is not None else found.organisation
    require(may(view, by.actor, Action.MANAGE_CONNECTIONS, place))
    kept_organisation(view, place)
    if found.organisation not in {above.id for above in states.chain(view, place)}:
        raise BadValue("a domain belongs to the connection's organisation, or to one below it")
    told = canonical_domain(view, name)
    other = view.domain(told)
    if other is not None:
        raise Exists(f"the domain {told} is connected already", "see `cjsm connection list`")
    if sum(1 for _ in view.domains_of(connection)) >= _DOMAINS:
        raise Conflict(f"a connection has at most {_DOMAINS} domains", "add another connection")
    domain = Domain(name=told, connection=connection, organisation=place, listed_members_only=listed_members_only)
    entry = entry_of(view, by, "domain-add", "domain", told.encode(), permission)
    return Change(put=(domain, changed(found)), entry=made_in(domain.organisation, entry))


def set_state(view: View, by: By, name: str, state: DomainState) -> Change:
    """Suspend or resume a domain; suspending needs a reason."""
    domain, connection = _existing(view, name)
    permission = require(may(view, by.actor, Action.MANAGE_CONNECTIONS, domain.organisation))
    if state is domain.state:
        raise Conflict(f"this domain is {state} already")
    if state is DomainState.SUSPENDED and not by.reason:
        raise BadValue("suspending needs a reason", "give one with --reason")
    if by.reason:
        check_text(by.reason, "a reason")
    made = msgspec.structs.replace(domain, state=state)
    entry = entry_of(view, by, f"domain-{state.value}", "domain", domain.name.encode(), permission)
    return Change(put=(made, changed(connection)), entry=entry)


def set_listed_members_only(view: View, by: By, name: str, listed: bool) -> Change:
    """Let only addresses that are listed be members, or every address in the domain."""
    domain, connection = _existing(view, name)
    permission = require(may(view, by.actor, Action.MANAGE_CONNECTIONS, domain.organisation))
    if listed is domain.listed_members_only:
        raise Conflict("that is so already")
    made = msgspec.structs.replace(domain, listed_members_only=listed)
    told = {"listed-members-only": "yes" if listed else "no"}
    entry = entry_of(view, by, "domain-members", "domain", domain.name.encode(), permission, **told)
    return Change(put=(made, changed(connection)), entry=entry)


def remove(view: View, by: By, name: str) -> Change:
    """Take a domain away; no member may be left in it, and a live connection keeps one."""
    domain, connection = _existing(view, name)
    permission = require(may(view, by.actor, Action.MANAGE_CONNECTIONS, domain.organisation))
    if connection.state is ConnectionState.LIVE and sum(1 for _ in view.domains_of(connection.id)) == 1:
        raise Conflict("a live connection needs a domain", "suspend the connection first")
    member = _a_member(view, domain)
    if member:
        raise Conflict(f"{member} is a member in {domain.name}", "delete its members first, or suspend the domain")
    entry = entry_of(view, by, "domain-remove", "domain", domain.name.encode(), permission)
    return Change(put=(changed(connection),), removed=(domain,), entry=entry)


def set_exceptions(view: View, by: By, name: str, exceptions: tuple[tuple[str, str], ...]) -> Change:
    """Replace the pairs (canonical address, address at the organisation) that the suffix rule does not give."""
    domain, connection = _existing(view, name)
    permission = require(may(view, by.actor, Action.MANAGE_CONNECTIONS, domain.organisation))
    made = msgspec.structs.replace(domain, exceptions=_checked_exceptions(view, domain, exceptions))
    entry = entry_of(
        view, by, "domain-exceptions", "domain", domain.name.encode(), permission, count=str(len(exceptions))
    )
    return Change(put=(made, changed(connection)), entry=entry)


def _existing(view: View, name: str) -> tuple[Domain, Connection]:
    domain = view.domain(canonical_domain(view, name))
    connection = view.connection(domain.connection) if domain is not None else None
    if domain is None or connection is None:
        raise NotFound(f"there is no domain {quoted(name)}", "see `cjsm connection list`")
    return domain, connection


def _a_member(view: View, domain: Domain) -> str:
    """Return the address of somebody who is not deleted in the domain; members are at its organisation or below."""
    places = [domain.organisation]
    while places:
        place = places.pop()
        places += [child.id for child in view.children(place)]
        for account in view.accounts_in(place):
            if account.life is Life.DELETED:
                continue
            for record in view.addresses_of(account.id):
                if record.address.endswith(f"@{domain.name}"):
                    return record.address
    return ""


def _checked_exceptions(
    view: View, domain: Domain, exceptions: tuple[tuple[str, str], ...]
) -> tuple[tuple[str, str], ...]:
    """Return the pairs in canonical form; each way the map gives one address, so that it can be turned round."""
    pairs = [(Address.parse(inside), Address.parse(outside)) for inside, outside in exceptions]
    insides = {inside for inside, _ in pairs}
    if len(pairs) > _EXCEPTIONS:
        raise BadValue(f"a domain has at most {_EXCEPTIONS} exceptions")
    if len(insides) != len(pairs) or len({outside for _, outside in pairs}) != len(pairs):
        raise BadValue("an address is in the exceptions twice", "give one pair for each address")
    for inside, outside in pairs:
        if inside.domain != domain.name:
            raise BadValue(f"{inside} is not in {domain.name}", "the first address of a pair is the member's own")
        _check_outside(view, domain, insides, outside)
    return tuple(sorted((str(inside), str(outside)) for inside, outside in pairs))


def _check_outside(view: View, domain: Domain, insides: set[Address], outside: Address) -> None:
    if outside.has_suffix(view.suffix):
        raise BadValue(f"{outside} has the suffix", "the second address of a pair is the one at the organisation")
    ruled = outside.with_suffix(view.suffix)
    other = view.domain(ruled.domain)
    if other is None:
        return
    if other.name != domain.name:
        raise BadValue(f"{outside} is an address of the domain {other.name}", "give one of this domain, or of no other")
    if ruled not in insides:
        raise BadValue(f"{outside} is what {ruled} becomes already", f"give {ruled} an exception too")
