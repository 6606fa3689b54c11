"""An organisation moved in the hierarchy, with everybody and everything below it.

People keep their user IDs and addresses, mailboxes their keys: who administers follows from the tree, and so does whose
officers recover what comes from then on.
"""

from collections.abc import Iterator

from cjsm.community import states
from cjsm.community.acts.acting import By, changed, entry_of
from cjsm.community.acts.organisations import existing_organisation, inactive
from cjsm.community.authority import Action, Permission, may, require
from cjsm.community.errors import BadValue, CommunityError, Conflict, Exists, NotFound
from cjsm.community.finding import owned_list, primary_address
from cjsm.community.identifiers import OrganisationId
from cjsm.community.records import (
    Account,
    AccountKind,
    MailList,
    Organisation,
    SharedMailbox,
    WhoMayPost,
)
from cjsm.community.view import Change, View


def move(
    view: View, by: By, organisation: OrganisationId, parent: OrganisationId | None, *, slug: str | None = None
) -> Change:
    """Put an organisation below *parent*, or at the top.

    :param slug: its short name there, where that is another.
    :raises CommunityError: when something would no longer be as it must be: mail to and from its people first of all.
    """
    found = existing_organisation(view, organisation)
    if found.parent == parent:
        raise Conflict("it is there already")
    permission = permitted(view, by, found.parent, parent)
    obstacle = next(obstacles(view, found, parent, slug), None)
    if obstacle is not None:
        raise obstacle
    made = changed(found, parent=parent, slug=slug or found.slug, moved=view.moment, merging=0)
    told = {"from": (found.parent or b"").hex(), "to": (parent or b"").hex()}
    entry = entry_of(view, by, "organisation-move", "organisation", organisation, permission, **told)
    return Change(put=(made,), entry=entry)


def subtree(view: View, organisation: OrganisationId) -> Iterator[Organisation]:
    """Yield an organisation and all below it."""
    found = view.organisation(organisation)
    if found is not None:
        yield found
        for child in view.children(organisation):
            yield from subtree(view, child.id)


def permitted(view: View, by: By, old: OrganisationId | None, new: OrganisationId | None) -> Permission:
    """Whoever moves could make organisations in both places: nobody takes one from a parent or gives it to one."""
    permissions = [
        require(
            may(
                view,
                by.actor,
                Action.MAKE_SUB_ORGANISATION if place is not None else Action.MAKE_TOP_ORGANISATION,
                place,
            )
        )
        for place in (old, new)
    ]
    return permissions[-1]


def obstacles(
    view: View, found: Organisation, parent: OrganisationId | None, slug: str | None = None
) -> Iterator[CommunityError]:
    """Yield what keeps an organisation from being put below *parent*, each with its cure; :class:`Exists` where its
    short name is taken there.
    """
    below = {each.id for each in subtree(view, found.id)}
    above = tuple(states.chain(view, parent)) if parent is not None else ()
    if parent is not None and not above:
        yield NotFound("the organisation above does not exist", "see `cjsm organisation list`")
    yield from inactive(view, above)
    if parent in below:
        yield BadValue("an organisation cannot be below itself")
        return
    if len(above) + _depth(view, found.id) >= states.DEEPEST:
        yield BadValue(f"organisations are at most {states.DEEPEST - 1} deep", "move the deepest of them up first")
    if view.organisation_below(parent, slug or found.slug) is not None:
        yield Exists(f"{slug or found.slug!r} exists there already", "rename one of them")
    if parent is None and found.abbreviation is None:
        yield Conflict("a top organisation has an abbreviation of its own, this one shares that above it")
    yield from _cut_off(view, below, {each.id for each in above})
    before = tuple(states.chain(view, found.id))[-1].id
    if (above[-1].id if above else found.id) != before:
        yield from _shared_across(view, below)
        yield from _listed_across(view, below, before)


def _depth(view: View, organisation: OrganisationId) -> int:
    return 1 + max((_depth(view, child.id) for child in view.children(organisation)), default=0)


def _cut_off(view: View, below: set[OrganisationId], above: set[OrganisationId]) -> Iterator[Conflict]:
    """Connections serve the domains of their organisation and those below it; relayed people are in such domains."""
    places = below | above
    for domain in view.domains():
        connection = view.connection(domain.connection) if domain.organisation in below else None
        if connection is not None and connection.organisation not in places:
            yield Conflict(
                f"the domain {domain.name} is served by a connection of the organisation that was above it",
                "take it away first, and connect it anew there: cjsm connection domain remove",
            )
    for organisation in below:
        for account in view.accounts_in(organisation):
            if account.kind is AccountKind.RELAYED and _is_elsewhere(view, account, places):
                yield Conflict(
                    f"the address of {account.user_id} is in a domain of the organisation that was above it",
                    "delete them first, and add them anew with an address of a domain there",
                )


def _is_elsewhere(view: View, account: Account, places: set[OrganisationId]) -> bool:
    domains = (view.domain(record.address.rpartition("@")[2]) for record in view.addresses_of(account.id))
    return any(domain is not None and domain.organisation not in places for domain in domains)


def _shared_across(view: View, below: set[OrganisationId]) -> Iterator[Conflict]:
    """Shared mailboxes have members of one top organisation."""
    found: dict[bytes, SharedMailbox] = {}
    for place in below:
        found |= {each.id: each for each in view.shared_mailboxes_in(place)}
        for each in view.accounts_in(place):
            found |= {each.id: each for each in view.shared_mailboxes_of(each.id)}
    for shared in found.values():
        for member in shared.members:
            account = view.account(member.account)
            if account is not None and (account.organisation in below) != (shared.organisation in below):
                address = primary_address(view, shared.id)
                yield Conflict(
                    f"the shared mailbox {shared.slug} has members on both sides: {account.user_id}",
                    f"take them out first: cjsm shared leave {address} {account.user_id}",
                )


def _listed_across(view: View, below: set[OrganisationId], top: OrganisationId) -> Iterator[Conflict]:
    """Lists that not everybody may write to take mail from lists of their own top organisation."""

    def stays(found: MailList) -> bool:
        return found.organisation not in below and states.top_of(view, found.organisation) == top

    inside = [found for place in below for found in view.lists_in(place)]
    closed = {record.address: found for found in inside if _is_closed(found) for record in view.addresses_of(found.id)}
    for outer in view.lists() if closed else ():
        if not closed.keys().isdisjoint(outer.members) and stays(outer):
            yield from (_parted(view, outer, closed[each]) for each in outer.members if each in closed)
    for outer in inside:
        for inner in (owned_list(view, view.address(member)) for member in outer.members):
            if inner is not None and _is_closed(inner) and stays(inner):
                yield _parted(view, outer, inner)


def _is_closed(found: MailList) -> bool:
    return found.who_may_post is not WhoMayPost.COMMUNITY


def _parted(view: View, outer: MailList, inner: MailList) -> Conflict:
    name, member = primary_address(view, outer.id), primary_address(view, inner.id)
    return Conflict(
        f"the list {member} is a member of {name}, and takes mail of its own top organisation only",
        f"take it off: cjsm list leave {name} {member}; or: cjsm list change {member} --who-may-post community",
    )
