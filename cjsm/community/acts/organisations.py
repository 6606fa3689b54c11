"""Organisations: made, suspended, resumed, deleted."""

import msgspec

from cjsm.community import states
from cjsm.community.acts.acting import By, check_text, entry_of
from cjsm.community.address import check_slug
from cjsm.community.authority import Action, may, require
from cjsm.community.errors import BadValue, Conflict, Exists, NotFound
from cjsm.community.identifiers import OrganisationId
from cjsm.community.records import Life, Organisation, OrganisationState
from cjsm.community.view import Change, View


def add(view: View, by: By, organisation: Organisation) -> Change:
    """Add *organisation* below its parent, or at the top."""
    action = Action.MAKE_TOP_ORGANISATION if organisation.parent is None else Action.MAKE_SUB_ORGANISATION
    permission = require(may(view, by.actor, action, organisation.parent))
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


def set_state(view: View, by: By, organisation: OrganisationId, state: OrganisationState) -> Change:
    """Suspend, resume or delete an organisation; deleting needs it empty."""
    found = view.organisation(organisation)
    if found is None:
        raise NotFound("there is no such organisation")
    permission = require(may(view, by.actor, Action.CHANGE_ORGANISATION, organisation))
    if state is not OrganisationState.ACTIVE and not by.reason:
        raise BadValue("suspending and deleting need a reason", "give one with --reason")
    occupied = any(account.life is not Life.DELETED for account in view.accounts_in(organisation))
    below = any(child.state is not OrganisationState.DELETED for child in view.children(organisation))
    if state is OrganisationState.DELETED and (occupied or below):
        raise Conflict("the organisation is not empty", "move or delete its users and sub-organisations first")
    made = msgspec.structs.replace(found, state=state, version=found.version + 1)
    entry = entry_of(view, by, f"organisation-{state.value}", "organisation", organisation, permission)
    return Change(put=(made,), entry=entry)
