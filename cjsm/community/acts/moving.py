"""An organisation moved in the hierarchy, with everybody and everything below it.

People keep their user IDs and addresses, mailboxes their keys: who administers follows from the tree, and so does whose
officers recover what comes from then on.
"""

from collections.abc import Iterator

from cjsm.community import states
from cjsm.community.acts.acting import By, changed, entry_of
from cjsm.community.acts.organisations import existing_organisation
from cjsm.community.authority import Action, Permission, may, require
from cjsm.community.errors import BadValue, Conflict, Exists
from cjsm.community.identifiers import AccountId, OrganisationId
from cjsm.community.records import Account, AccountKind, Organisation, OrganisationState
from cjsm.community.view import Change, View


def move(view: View, by: By, organisation: OrganisationId, parent: OrganisationId | None) -> Change:
    """Put an organisation below *parent*, or at the top.

    :raises Conflict: when something would no longer be as it must be: mail to and from its people first of all.
    """
    found = existing_organisation(view, organisation)
    if found.parent == parent:
        raise Conflict("it is there already")
    permission = _permitted(view, by, found.parent, parent)
    below = {each.id for each in subtree(view, organisation)}
    above = tuple(states.chain(view, parent)) if parent is not None else ()
    if parent is not None and (not above or states.organisation_state(view, parent) is not OrganisationState.ACTIVE):
        raise Conflict("the organisation above is not active", "resume it first")
    if parent in below:
        raise BadValue("an organisation cannot be below itself")
    if len(above) + _depth(view, organisation) >= states.DEEPEST:
        raise BadValue(f"organisations are at most {states.DEEPEST - 1} deep")
    if view.organisation_below(parent, found.slug) is not None:
        raise Exists(f"{found.slug!r} exists there already", "rename one of them")
    if parent is None and found.abbreviation is None:
        raise Conflict("a top organisation has an abbreviation of its own, this one shares that above it")
    _check_connected(view, below, {each.id for each in above})
    _check_shared(view, below, organisation, above)
    made = changed(found, parent=parent, moved=view.moment)
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


def _permitted(view: View, by: By, old: OrganisationId | None, new: OrganisationId | None) -> Permission:
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


def _depth(view: View, organisation: OrganisationId) -> int:
    return 1 + max((_depth(view, child.id) for child in view.children(organisation)), default=0)


def _check_connected(view: View, below: set[OrganisationId], above: set[OrganisationId]) -> None:
    """Connections serve the domains of their organisation and those below it; relayed people are in such domains."""
    places = below | above
    for domain in view.domains():
        connection = view.connection(domain.connection)
        if domain.organisation in below and connection is not None and connection.organisation not in places:
            raise Conflict(f"the domain {domain.name} is served by a connection of the organisation that was above it")
    for organisation in below:
        for account in view.accounts_in(organisation):
            if account.kind is AccountKind.RELAYED and _is_elsewhere(view, account, places):
                raise Conflict(f"the address of {account.user_id} is in a domain of the organisation that was above it")


def _is_elsewhere(view: View, account: Account, places: set[OrganisationId]) -> bool:
    domains = (view.domain(record.address.rpartition("@")[2]) for record in view.addresses_of(account.id))
    return any(domain is not None and domain.organisation not in places for domain in domains)


def _check_shared(
    view: View, below: set[OrganisationId], organisation: OrganisationId, above: tuple[Organisation, ...]
) -> None:
    """Shared mailboxes have members of one top organisation."""
    before = tuple(states.chain(view, organisation))[-1].id
    if (above[-1].id if above else organisation) == before:
        return
    for place in view.organisations():
        for shared in view.shared_mailboxes_in(place.id):
            inside = place.id in below
            if any((_organisation_of(view, each.account) in below) != inside for each in shared.members):
                raise Conflict(
                    f"the shared mailbox {shared.slug} has members on both sides",
                    "take them out first: cjsm shared leave",
                )


def _organisation_of(view: View, account: AccountId) -> OrganisationId | None:
    found = view.account(account)
    return found.organisation if found is not None else None
