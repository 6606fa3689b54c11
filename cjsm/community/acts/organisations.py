"""Organisations: made, changed, suspended, resumed, deleted."""

from collections.abc import Iterable, Iterator

import msgspec

from cjsm.community import states
from cjsm.community.acts.acting import By, changed, check_line, check_text, entry_of
from cjsm.community.acts.reasons import check_reason
from cjsm.community.address import check_slug
from cjsm.community.authority import Action, may, require
from cjsm.community.errors import BadValue, Conflict, Exists, NotFound
from cjsm.community.finding import path_of
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
    gone = (each for each in states.chain(view, organisation) if each.state is OrganisationState.DELETED)
    obstacle = next(inactive(view, gone), None)
    if obstacle is not None:
        raise obstacle
    return found


def working_organisation(view: View, organisation: OrganisationId) -> Organisation:
    """Return the organisation that somebody is to be in, which is active with all above it.

    :raises CommunityError: when there is none, or it is not, with what lets it work again.
    """
    found = existing_organisation(view, organisation)
    obstacle = next(inactive(view, states.chain(view, organisation)), None)
    if obstacle is not None:
        raise obstacle
    return found


def inactive(view: View, organisations: Iterable[Organisation]) -> Iterator[Conflict]:
    """Yield which of some organisations do not work at the moment, each with what lets it work again."""
    for found in organisations:
        if found.state is not OrganisationState.ACTIVE:
            yield Conflict(f"{path_of(view, found.id)} is {found.state}", f"let it work first: {_back(view, found)}")


def _back(view: View, found: Organisation) -> str:
    """Return the command that makes a suspended or deleted organisation active."""
    verb = "resume" if found.state is OrganisationState.SUSPENDED else "undelete"
    return f"cjsm organisation {verb} {path_of(view, found.id)}"


def add(view: View, by: By, organisation: Organisation) -> Change:
    """Add *organisation* below its parent, or at the top."""
    permission = require(may(view, by.actor, _making(organisation.parent), organisation.parent))
    check_slug(organisation.slug)
    made = msgspec.structs.replace(
        organisation, name=check_text(organisation.name, "a name"), created=view.moment, version=1
    )
    if organisation.parent is not None:
        above = tuple(states.chain(view, organisation.parent))
        kept_organisation(view, organisation.parent)
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


def set_state(
    view: View,
    by: By,
    organisation: OrganisationId,
    state: OrganisationState,
    *,
    since: OrganisationState | None = None,
) -> Change:
    """Suspend, resume, delete an organisation or have it back; deleting needs it empty.

    That is for who could have made it: administrators above it, not its own.

    :param since: the one state from which it is to be; None: whichever leads there.
    :raises Conflict: when it is not in a state for that, or not empty.
    """
    found = existing_organisation(view, organisation)
    permission = require(may(view, by.actor, _making(found.parent), found.parent))
    act = _STEPS.get((found.state, state))
    if act is None or since not in (None, found.state):
        active = found.state is OrganisationState.ACTIVE
        cure = f"see `cjsm organisation show {path_of(view, organisation)}`" if active else _back(view, found)
        raise Conflict(f"the organisation is {found.state}", cure)
    if state is not OrganisationState.ACTIVE:
        check_reason(by.reason)
    if state is OrganisationState.DELETED:
        inside = next(_inside(view, organisation), None)
        if inside is not None:
            raise Conflict(f"the organisation is not empty: there is {inside}", "move or delete what is in it first")
    if found.state is OrganisationState.DELETED and found.parent is not None:
        kept_organisation(view, found.parent)
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
