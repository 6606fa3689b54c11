"""What keeps one organisation from becoming part of another: looked for before anything is begun, all of it at once.

Where nothing is found, no act of the merge is refused, unless somebody changes something meanwhile.
"""

from collections.abc import Iterator

from cjsm.community import states
from cjsm.community.acts import moving
from cjsm.community.acts.acting import By
from cjsm.community.acts.merging import Merge, address_there, is_begun
from cjsm.community.acts.organisations import existing_organisation, inactive
from cjsm.community.acts.transfers import lists_managed, requests_waiting, roles_elsewhere
from cjsm.community.address import Address, check_slug
from cjsm.community.authority import Action, may, may_grant
from cjsm.community.errors import BadValue, CommunityError, Conflict, Exists, NotAllowed, NotFound
from cjsm.community.finding import abbreviation_for, path_of, primary_address
from cjsm.community.identifiers import ListId, MailboxId, OrganisationId
from cjsm.community.records import Account, MailList, Organisation, OrganisationState, SharedMailbox
from cjsm.community.view import View


def obstacles(view: View, by: By, merge: Merge) -> Iterator[CommunityError]:
    """Yield what would stop the merge, each with its cure. Reads the organisation's people, and every list."""
    found, into = existing_organisation(view, merge.organisation), existing_organisation(view, merge.into)
    if found.id == into.id:
        yield BadValue("an organisation cannot become part of itself", "name another one")
        return
    if found.id in {each.id for each in states.chain(view, into.id)}:
        here, there = path_of(view, found.id), path_of(view, into.id)
        yield BadValue(f"{there} is below {here}", f"merge it the other way: cjsm organisation merge {there} {here}")
        return
    # Whoever could not sign in or get mail would by a merge.
    above = tuple(states.chain(view, into.id))
    yield from inactive(view, (each for each in states.chain(view, found.id) if each not in above))
    if found.parent != into.id:
        yield from _on_the_way(view, merge, found)
    else:
        yield from inactive(view, above)
    yield from _unfinished(view, found, into)
    if not is_begun(found, into.id):
        yield from _hidden(view, found, above)
    yield from _unknown_names(view, merge)
    yield from _short_names(view, merge, found, into)
    yield from _addresses(view, merge)
    yield from _people(view, by, merge, found, into)
    yield from _roles(view, by, found)


def _on_the_way(view: View, merge: Merge, found: Organisation) -> Iterator[CommunityError]:
    """Yield what keeps the organisation from being put below the other one."""
    for obstacle in moving.obstacles(view, found, merge.into, merge.slug):
        if isinstance(obstacle, Exists):
            obstacle.cure = _rename(path_of(view, found.id))
        yield obstacle


def _rename(what: str) -> str:
    return f"give it another short name: --rename {what}=OTHER-NAME"


def _hidden(view: View, found: Organisation, above: tuple[Organisation, ...]) -> Iterator[Conflict]:
    """Whom the directory hides with their organisation it would show, which is for somebody to decide."""
    if any(each.ex_directory or each.protected for each in above):
        return
    for each in states.chain(view, found.id):
        if (each.ex_directory or each.protected) and each not in above:
            path = path_of(view, each.id)
            yield Conflict(
                f"people of {path} are not in the directory, and would be",
                f"list them first: cjsm organisation change {path} --listed --not-protected; or hide the other one",
            )


def _unfinished(view: View, found: Organisation, into: Organisation) -> Iterator[Conflict]:
    """One thing after the other: what is on its way into one of them arrives first, and so do they."""
    beginning = [each for each in (found, *view.children(found.id)) if not is_begun(each, into.id)]
    for each in (*beginning, *states.chain(view, into.id)):
        if each.merging and each.state is not OrganisationState.DELETED:
            path, above = path_of(view, each.id), path_of(view, each.parent)
            cure = f"finish that first: cjsm organisation merge {path} {above}"
            yield Conflict(f"{path} is becoming part of {above}", cure)


def _unknown_names(view: View, merge: Merge) -> Iterator[CommunityError]:
    """Other short names are for what comes up, or did before the command was ended."""
    places = {merge.organisation, merge.into}
    for name, slug in (*merge.names.items(), *((("", merge.slug),) if merge.slug is not None else ())):
        try:
            check_slug(slug)
        except CommunityError as error:
            yield error
        if "@" in name:
            record = view.reserved_address(name)
            owner = record.owner if record is not None else b""
            owned = view.mail_list(ListId(owner)) or view.kept_shared_mailbox(MailboxId(owner))
            there = owned is not None and owned.organisation in places
        else:
            below = (view.organisation_below(merge.organisation, name), view.organisation_below(merge.into, slug))
            there = not name or any(below)
        if not there:
            yield NotFound(
                f"{name} is no sub-organisation, list or shared mailbox of it", "correct --rename, or leave it away"
            )


def _short_names(view: View, merge: Merge, found: Organisation, into: Organisation) -> Iterator[Exists]:
    taken: set[str] = set() if found.parent == into.id else {merge.slug or found.slug}
    path = path_of(view, into.id)
    for child in view.children(found.id):
        slug = merge.names.get(child.slug, child.slug)
        if child.state is OrganisationState.DELETED:
            continue
        if slug in taken or view.organisation_below(into.id, slug) is not None:
            yield Exists(
                f"the short name of {path_of(view, child.id)} is taken in {path}, perhaps by a deleted one",
                _rename(path_of(view, child.id)),
            )
        taken.add(slug)


def _addresses(view: View, merge: Merge) -> Iterator[CommunityError]:
    """Of lists and shared mailboxes. People get others where theirs are taken."""
    try:
        abbreviation_for(view, merge.into)
    except Conflict as error:
        yield error
        return
    taken: set[Address] = set()
    place = merge.organisation
    things: list[MailList | SharedMailbox] = [*view.lists_in(place), *view.kept_shared_mailboxes_in(place)]
    for each in things:
        address, _ = address_there(view, merge, each.id, each.slug)
        held = view.reserved_address(str(address))
        if address in taken or (held is not None and held.owner != each.id):
            was = primary_address(view, each.id)
            yield Exists(
                f"the address {address}, which {was} would have, is taken or still reserved",
                _rename(was),
            )
        taken.add(address)


def _people(view: View, by: By, merge: Merge, found: Organisation, into: Organisation) -> Iterator[CommunityError]:
    people = {account.id: account for account in view.accounts_in(found.id)}
    for account in people.values():
        yield from _not_theirs(view, by, account, found.id)
    if is_begun(found, into.id):
        # What follows keeps somebody from leaving a place, which they have left.
        return
    below = {each.id for each in moving.subtree(view, found.id)}
    kept = below | {each.id for each in states.chain(view, into.id)}
    for account in people.values():
        yield from roles_elsewhere(view, account, kept)
    yield from requests_waiting(view, people, {each.id for each in view.kept_shared_mailboxes_in(found.id)})
    if states.top_of(view, found.id) != states.top_of(view, into.id):
        yield from lists_managed(view, people, lambda each: _stays_behind(view, each, below, found.id))


def _not_theirs(view: View, by: By, account: Account, place: OrganisationId) -> Iterator[NotAllowed]:
    permission = may(view, by.actor, Action.MANAGE_USERS, place, account=account.id)
    if not permission.allowed:
        yield NotAllowed(f"{account.user_id}: {permission.reason}", permission.cure)


def _stays_behind(view: View, found: MailList, below: set[OrganisationId], place: OrganisationId) -> bool:
    """Whether a list is of the top organisation that the people leave."""
    return found.organisation not in below and states.top_of(view, found.organisation) == states.top_of(view, place)


def _roles(view: View, by: By, found: Organisation) -> Iterator[NotAllowed]:
    """Roles over the organisation end with it: whoever merges could take them."""
    for held in view.roles_over(found.id):
        permission = may_grant(view, by.actor, held.role, found.id)
        account = view.account(held.account)
        if account is not None and not held.recovery_officer and not permission.allowed:
            yield NotAllowed(f"{account.user_id} is {held.role} of it: {permission.reason}", permission.cure)
