"""Organisations: made, changed, suspended, resumed, deleted."""

from collections.abc import Iterator

import msgspec

from cjsm.community import states
from cjsm.community.acts.acting import By, changed, check_line, check_text, entry_of
from cjsm.community.acts.reasons import check_reason
from cjsm.community.address import check_slug
from cjsm.community.authority import Action, may, require
from cjsm.community.errors import BadValue, Conflict, Exists, NotFound
from cjsm.community.identifiers import OrganisationId
from cjsm.community.records import Life, Organisation, OrganisationState, Recovery
from cjsm.community.view import Change, View


def existing_organisation(view: View, organisation: OrganisationId) -> Organisation:
    """Return the organisation.

    :raises NotFound: when there is none.
    """
    found = view.organisation(organisation)
    if found is None:
        raise NotFound("there is no such organisation", "see `cjsm organisation list`")
    return found


def kept_organisation(view: View, organisation: OrganisationId) -> Organisation:
    """Return the organisation that something new is to be in, which is not a deleted one nor below it.

    :raises CommunityError: when there is none, or it is.
    """
    found = existing_organisation(view, organisation)
    if states.organisation_state(view, organisation) is OrganisationState.DELETED:
        raise Conflict("the organisation is deleted", "have it back first: cjsm organisation undelete")
    return found


def add(view: View, by: By, organisation: Organisation) -> Change:
    """Add *organisation* below its parent, or at the top."""
    permission = require(may(view, by.actor, _making(organisation.parent), organisation.parent))
    check_slug(organisation.slug)
    made = msgspec.structs.replace(
        organisation, name=check_text(organisation.name, "a name"), created=view.moment, version=1
    )
    if organisation.parent is not None:
        above = tuple(states.chain(view, organisation.parent))
        if not above or above[0].state is OrganisationState.DELETED:
            raise NotFound("the organisation above does not exist")
        if len(above) >= states.DEEPEST - 1:
            raise BadValue(f"organisations are at most {states.DEEPEST - 1} deep")
    if view.organisation_below(organisation.parent, organisation.slug) is not None:
        raise Exists(f"{organisation.slug!r} exists there already", "choose another short name")
    if organisation.abbreviation is not None:
        check_slug(organisation.abbreviation)
        if view.organisation_of_abbreviation(organisation.abbreviation) is not None:
            raise Exists(f"the abbreviation {organisation.abbreviation!r} is taken", "choose another")
    entry = entry_of(view, by, "organisation-add", "organisation", made.id, permission, slug=made.slug)
    return Change(put=(made,), entry=entry)


def _making(parent: OrganisationId | None) -> Action:
    return Action.MAKE_TOP_ORGANISATION if parent is None else Action.MAKE_SUB_ORGANISATION


def change(
    view: View,
    by: By,
    organisation: OrganisationId,
    *,
    name: str | None = None,
    abbreviation: str | None = None,
    recovery: Recovery | None = None,
    business_type: str | None = None,
    area: str | None = None,
    ex_directory: bool | None = None,
    protected: bool | None = None,
) -> Change:
    """Change what is given.

    An abbreviation is given once and stays: addresses end in it. Another choice of recovery holds for mail from the
    next generation of keys on, which mailboxes begin soon.
    """
    found = existing_organisation(view, organisation)
    permission = require(may(view, by.actor, Action.CHANGE_ORGANISATION, organisation))
    asked = {
        "name": check_text(name, "a name") if name is not None else None,
        "recovery": recovery,
        "business_type": check_line(business_type, "a business type") if business_type is not None else None,
        "area": check_line(area, "an area") if area is not None else None,
        "ex_directory": ex_directory,
        "protected": protected,
    }
    changes: dict[str, object] = {
        key: value for key, value in asked.items() if value is not None and value != getattr(found, key)
    }
    if abbreviation is not None:
        permission = require(may(view, by.actor, Action.GIVE_ABBREVIATION, organisation))
        _check_abbreviation(view, found, abbreviation)
        changes["abbreviation"] = abbreviation
    if not changes:
        raise BadValue("nothing is to be changed", "see `cjsm organisation change --help`")
    told = {"changed": " ".join(sorted(changes))}
    if recovery is not None and "recovery" in changes:
        changes["recovery_since"] = view.moment
        told["recovery"] = recovery.value
    made = changed(found, **changes)
    entry = entry_of(view, by, "organisation-change", "organisation", organisation, permission, **told)
    return Change(put=(made,), entry=entry)


def _check_abbreviation(view: View, found: Organisation, abbreviation: str) -> None:
    check_slug(abbreviation)
    if found.abbreviation is not None:
        raise Conflict("it has an abbreviation, which addresses end in: it stays")
    if view.organisation_of_abbreviation(abbreviation) is not None:
        raise Exists(f"the abbreviation {abbreviation!r} is taken", "choose another")


#: What may be done to an organisation in each state, and what the ledger calls it.
_STEPS: dict[tuple[OrganisationState, OrganisationState], str] = {
    (OrganisationState.ACTIVE, OrganisationState.SUSPENDED): "organisation-suspended",
    (OrganisationState.SUSPENDED, OrganisationState.ACTIVE): "organisation-resumed",
    (OrganisationState.ACTIVE, OrganisationState.DELETED): "organisation-deleted",
    (OrganisationState.SUSPENDED, OrganisationState.DELETED): "organisation-deleted",
    (OrganisationState.DELETED, OrganisationState.ACTIVE): "organisation-undeleted",
}


def set_state(view: View, by: By, organisation: OrganisationId, state: OrganisationState) -> Change:
    """Suspend, resume, delete an organisation or have it back; deleting needs it empty.

    That is for who could have made it: administrators above it, not its own.

    :raises Conflict: when it is not in a state for that, or not empty.
    """
    found = existing_organisation(view, organisation)
    permission = require(may(view, by.actor, _making(found.parent), found.parent))
    act = _STEPS.get((found.state, state))
    if act is None:
        raise Conflict(f"the organisation is {found.state}", "see `cjsm organisation show`")
    if state is not OrganisationState.ACTIVE:
        check_reason(by.reason)
    if state is OrganisationState.DELETED:
        inside = next(_inside(view, organisation), None)
        if inside is not None:
            raise Conflict(f"the organisation is not empty: there is {inside}", "move or delete what is in it first")
    if found.state is OrganisationState.DELETED and found.parent is not None:
        above = view.organisation(found.parent)
        if above is None or above.state is OrganisationState.DELETED:
            raise Conflict("the organisation above is deleted", "have that one back first")
    # What is had back is an organisation of its own.
    merging = 0 if found.state is OrganisationState.DELETED else found.merging
    made = changed(found, state=state, state_reason=by.reason, state_since=view.moment, merging=merging)
    return Change(put=(made,), entry=entry_of(view, by, act, "organisation", organisation, permission))


def _inside(view: View, organisation: OrganisationId) -> Iterator[str]:
    """Yield what has to go before an organisation is deleted."""
    for account in view.accounts_in(organisation):
        if account.life is not Life.DELETED:
            yield f"the user {account.user_id}"
    for child in view.children(organisation):
        if child.state is not OrganisationState.DELETED:
            yield f"the organisation {child.slug}"
    yield from (f"the list {found.slug}" for found in view.lists_in(organisation))
    yield from (f"the shared mailbox {found.slug}" for found in view.shared_mailboxes_in(organisation))
    yield from (f"the connection {found.slug}" for found in view.connections() if found.organisation == organisation)
    yield from (f"the domain {found.name}" for found in view.domains() if found.organisation == organisation)
