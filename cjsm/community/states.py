"""What states mean for signing in and for mail (community §6), dated states resolved for a view's moment."""

from collections.abc import Iterator

from cjsm.community.identifiers import AccountId, OrganisationId
from cjsm.community.records import (
    Account,
    Credential,
    Life,
    Organisation,
    OrganisationState,
    Role,
    RoleAssignment,
    SharedMailbox,
)
from cjsm.community.view import View

#: Organisations above one another at most; deeper is refused when an organisation is made.
DEEPEST = 32

#: Roles that administer an organisation.
ADMINISTRATORS = frozenset({Role.ORGANISATION_ADMINISTRATOR, Role.COMMUNITY_ADMINISTRATOR})


def chain(view: View, organisation: OrganisationId | None) -> Iterator[Organisation]:
    """Yield the organisation and all above it, nearest first."""
    for _ in range(DEEPEST):
        found = view.organisation(organisation) if organisation is not None else None
        if found is None:
            return
        yield found
        organisation = found.parent


def top_of(view: View, organisation: OrganisationId) -> OrganisationId | None:
    """Return the top organisation that it is or is below; None where there is none."""
    above = tuple(chain(view, organisation))
    return above[-1].id if above else None


def organisation_state(view: View, organisation: OrganisationId) -> OrganisationState:
    """Return the state in force: the worst of the organisation's own and of all above it."""
    states = {found.state for found in chain(view, organisation)}
    for worst in (OrganisationState.DELETED, OrganisationState.SUSPENDED):
        if worst in states:
            return worst
    return OrganisationState.ACTIVE if states else OrganisationState.DELETED


def is_guarded(account: Account, moment: float) -> bool:
    """Whether guesses have locked the account for networks that it never used."""
    guard = account.guard
    return guard is not None and (guard.until is None or moment < guard.until)


def display_name(owner: Account | SharedMailbox, moment: float = 0) -> str:
    """Return the service's own name for the states of an account or shared mailbox, at *moment*."""
    if isinstance(owner, SharedMailbox) or owner.life in (Life.DELETED, Life.SUSPENDED):
        return owner.life.value.capitalize()
    one_time = owner.credential is Credential.ONE_TIME
    if owner.locked or is_guarded(owner, moment):
        if owner.life is Life.NEW:
            return "Locked (new user)"
        return "Locked (reset)" if one_time else "Locked"
    if owner.life is Life.NEW:
        return "New User"
    return "Reset" if one_time else "Active"


def may_sign_in(view: View, account: Account) -> bool:
    """Whether the account's states let somebody in, whatever secret was shown.

    Administrators of a suspended organisation still can: somebody has to put it right.
    """
    if account.locked or account.life not in (Life.NEW, Life.ACTIVE):
        return False
    state = organisation_state(view, account.organisation)
    if state is OrganisationState.SUSPENDED:
        return administers(view, account.id, account.organisation)
    return state is OrganisationState.ACTIVE


def must_choose_password(account: Account) -> bool:
    """Whether signing in serves only to choose a password."""
    return account.credential is Credential.ONE_TIME


def may_act(view: View, account: Account) -> bool:
    """Whether whoever is signed in may do more than choose a password."""
    return may_sign_in(view, account) and not must_choose_password(account)


def may_send(view: View, account: Account) -> bool:
    """Whether mail from the account is taken: it can sign in and its organisation is active."""
    active = organisation_state(view, account.organisation) is OrganisationState.ACTIVE
    return active and may_sign_in(view, account)


def administers(view: View, account: AccountId, organisation: OrganisationId) -> bool:
    """Whether the account is an administrator of the organisation, there or from above."""
    covering = {found.id for found in chain(view, organisation)}
    return any(
        assignment.role in ADMINISTRATORS and (assignment.organisation is None or assignment.organisation in covering)
        for assignment in view.roles_of(account)
    )


def is_administrator(view: View, account: AccountId) -> bool:
    """Whether the account administers the community or any organisation."""
    return any(held.role in ADMINISTRATORS for held in view.roles_of(account))


def takes_mail(owner: Account | SharedMailbox) -> bool:
    """Whether mail to the account or shared mailbox is accepted: everything but a deleted one."""
    return owner.life is not Life.DELETED


def others_working(view: View, held: RoleAssignment) -> bool:
    """Whether somebody else who is neither suspended nor deleted has the same role over the same place."""
    for other in view.roles_over(held.organisation):
        account = view.account(other.account)
        working = account is not None and account.life in (Life.NEW, Life.ACTIVE)
        if other.role is held.role and other.account != held.account and working:
            return True
    return False
