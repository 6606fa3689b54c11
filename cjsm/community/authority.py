"""Who may do what: one table of roles and one function that asks it (community §4). Deny by default."""

from collections.abc import Callable
from enum import StrEnum
from functools import cache

import msgspec
from msgspec import Struct

from cjsm.community.errors import NotAllowed
from cjsm.community.identifiers import AccountId, OrganisationId
from cjsm.community.records import MailList, Role, RoleAssignment, SharedMailbox
from cjsm.community.states import chain, may_act, may_sign_in, must_choose_password, takes_mail
from cjsm.community.view import View


class Action(StrEnum):
    """Everything that somebody may or may not do."""

    MAKE_TOP_ORGANISATION = "make top organisations"
    GIVE_ABBREVIATION = "give abbreviations"
    MAKE_SUB_ORGANISATION = "make sub-organisations"
    CHANGE_ORGANISATION = "change the organisation"
    SEE_ORGANISATIONS = "see organisations"
    MANAGE_USERS = "manage users"
    FIND_USERS = "find users"
    LOCK = "lock users"
    UNLOCK = "unlock users"
    RESET = "reset credentials"
    GRANT_ROLE = "appoint administrators"
    MANAGE_LISTS = "manage lists"
    MANAGE_SHARED_MAILBOXES = "manage shared mailboxes"
    SET_QUOTA = "set quotas"
    SET_LARGE_QUOTA = "set quotas beyond those of organisations"
    MANAGE_CONNECTIONS = "manage connections and domains"
    SEE_CONNECTIONS = "see connections and domains"
    TEST_CONNECTIONS = "test connections"
    SEE_QUEUES = "see queues"
    CHANGE_QUEUES = "change queues"
    TRACE = "trace messages"
    REPORTS = "see reports"
    READ_LEDGER = "read the ledger"
    ASK_RECOVERY = "ask for recovery"
    SEE_MAILBOXES = "see the state of mailboxes"
    CHANGE_MAILBOXES = "change mailboxes"
    VERIFY_MAILBOXES = "verify mailboxes"
    BACK_UP_MAILBOXES = "back mailboxes up"
    OWN_MAIL = "open one's own mail"
    OWN_SETTINGS = "change one's own settings"
    CHOOSE_PASSWORD = "choose one's own password"
    OWN_SECRETS = "change one's own device passwords"
    UNLOCK_SELF = "unlock one's own account"
    REMOVE_FACTOR = "take second factors away"
    SEND_NOTICES = "send system notices"
    ASSESS_APPLICATIONS = "see and assess applications"
    DECIDE_APPLICATIONS = "decide on applications"


_ORGANISATION_ADMINISTRATOR = frozenset(
    {
        Action.MAKE_SUB_ORGANISATION,
        Action.CHANGE_ORGANISATION,
        Action.SEE_ORGANISATIONS,
        Action.SEE_CONNECTIONS,
        Action.MANAGE_USERS,
        Action.FIND_USERS,
        Action.LOCK,
        Action.UNLOCK,
        Action.RESET,
        Action.ASK_RECOVERY,
        Action.GRANT_ROLE,
        Action.MANAGE_LISTS,
        Action.MANAGE_SHARED_MAILBOXES,
        Action.SET_QUOTA,
        Action.REPORTS,
        Action.READ_LEDGER,
        Action.SEE_MAILBOXES,
        Action.CHANGE_MAILBOXES,
        Action.REMOVE_FACTOR,
    }
)

#: What each role gives over its organisation and all below.
POWERS: dict[Role, frozenset[Action]] = {
    Role.COMMUNITY_ADMINISTRATOR: _ORGANISATION_ADMINISTRATOR
    | {
        Action.MAKE_TOP_ORGANISATION,
        Action.GIVE_ABBREVIATION,
        Action.SET_LARGE_QUOTA,
        Action.MANAGE_CONNECTIONS,
        Action.TEST_CONNECTIONS,
        Action.SEE_QUEUES,
        Action.CHANGE_QUEUES,
        Action.TRACE,
        Action.VERIFY_MAILBOXES,
        Action.BACK_UP_MAILBOXES,
        Action.SEND_NOTICES,
        Action.ASSESS_APPLICATIONS,
        Action.DECIDE_APPLICATIONS,
    },
    Role.ORGANISATION_ADMINISTRATOR: _ORGANISATION_ADMINISTRATOR,
    Role.HELPDESK: frozenset(
        {
            Action.SEE_ORGANISATIONS,
            Action.SEE_CONNECTIONS,
            Action.FIND_USERS,
            Action.UNLOCK,
            Action.RESET,
            Action.ASK_RECOVERY,
            Action.TRACE,
            Action.SEE_MAILBOXES,
            Action.ASSESS_APPLICATIONS,
        }
    ),
    Role.ENGINEER: frozenset(
        {
            Action.SEE_ORGANISATIONS,
            Action.SEE_CONNECTIONS,
            Action.TEST_CONNECTIONS,
            Action.SEE_QUEUES,
            Action.CHANGE_QUEUES,
            Action.SEE_MAILBOXES,
            Action.VERIFY_MAILBOXES,
            Action.ASSESS_APPLICATIONS,
        }
    ),
    Role.MAILBOX_USER: frozenset(),
}

#: What everybody may do to themselves.
_OWN = frozenset({Action.OWN_MAIL, Action.OWN_SETTINGS, Action.OWN_SECRETS, Action.CHOOSE_PASSWORD, Action.UNLOCK_SELF})

#: What the shell on the server is for, whoever administers the community (community §4).
_OPERATORS = frozenset({Action.VERIFY_MAILBOXES, Action.BACK_UP_MAILBOXES, Action.SEE_MAILBOXES, Action.READ_LEDGER})

#: Acts on a person that would let the actor take over or remove that person's roles.
_OVER_ROLES = frozenset({Action.MANAGE_USERS, Action.RESET, Action.LOCK, Action.REMOVE_FACTOR, Action.CHANGE_MAILBOXES})

#: Roles that only a community administrator gives.
COMMUNITY_ROLES = frozenset({Role.COMMUNITY_ADMINISTRATOR, Role.HELPDESK, Role.ENGINEER})

#: The local operator: a shell on the server, no account.
OPERATOR = None


class Permission(Struct, frozen=True):
    """An answer and why. ``break_glass``: allowed only because the local operator asks; everybody hears of it.

    :ivar cure: where it is no, what to do instead.
    """

    allowed: bool
    reason: str
    break_glass: bool = False
    cure: str = "ask an administrator of that organisation"


def may(
    view: View,
    actor: AccountId | None,
    action: Action,
    organisation: OrganisationId | None,
    *,
    account: AccountId | None = None,
) -> Permission:
    """Decide whether *actor* may do *action* to something of *organisation* (None: of the whole community).

    :param actor: an account, or :data:`OPERATOR`.
    :param account: the person acted on. Whoever resets or removes a person must be able to give every role that
        person has: otherwise a reset would be a way up.
    """
    if actor is OPERATOR:
        return _operator(view, action)
    acting = view.account(actor)
    if acting is not None and action is Action.UNLOCK_SELF:
        acting = msgspec.structs.replace(acting, locked=False)
    if acting is None or not may_sign_in(view, acting):
        return Permission(False, "this account may not act at the moment", cure="`cjsm user show` says why")
    if must_choose_password(acting) and action is not Action.CHOOSE_PASSWORD:
        return Permission(False, "choose a password first", cure="see `cjsm user set-password --help`")
    if action in _OWN:
        own = account == actor
        return Permission(own, "one's own" if own else "only the person may do this", cure="let that person do it")
    permission = _by_role(view, actor, action, organisation)
    if permission.allowed and account is not None and action in _OVER_ROLES:
        return _over_roles(view, actor, account, permission)
    return permission


def _operator(view: View, action: Action) -> Permission:
    """The shell on the server sets a community up and keeps it; once somebody administers it, more is break-glass."""
    if action in _OPERATORS:
        return Permission(True, "local operator on the server")
    if any(_administers_all(assignment) for assignment in view.roles_over(None)):
        return Permission(True, "local operator on the server", break_glass=True)
    return Permission(True, "local operator, before the first administrator")


def _administers_all(assignment: RoleAssignment) -> bool:
    return assignment.role is Role.COMMUNITY_ADMINISTRATOR and assignment.organisation is None


def _by_role(view: View, actor: AccountId, action: Action, organisation: OrganisationId | None) -> Permission:
    covering = {found.id for found in chain(view, organisation)} if organisation is not None else set()
    for assignment in view.roles_of(actor):
        if action in POWERS[assignment.role] and _covers(assignment, covering):
            return Permission(True, f"{assignment.role} of {_place(view, assignment)}")
    able = " or ".join(role for role, powers in POWERS.items() if action in powers)
    cure = f"ask somebody who is {able} there: `cjsm role list`"
    return Permission(False, f"no role that lets this account {action} there", cure=cure)


def _over_roles(view: View, actor: AccountId, account: AccountId, permission: Permission) -> Permission:
    for held in view.roles_of(account):
        if held.role is not Role.MAILBOX_USER and not may_grant(view, actor, held.role, held.organisation).allowed:
            return Permission(False, f"this person is {held.role} of {_place(view, held)}: that is not yours to change")
    return permission


def within(view: View, actor: AccountId | None, action: Action) -> Callable[[OrganisationId | None], bool]:
    """Return what tells for each organisation (None: the whole community) whether *actor* may do *action* there.

    It is for lists, of which everybody sees what is theirs to see.

    :raises NotAllowed: when there is none.
    """
    if actor is not OPERATOR:
        places = [held.organisation for held in view.roles_of(actor)] or [None]
        asked = [may(view, actor, action, place) for place in places]
        require(next((each for each in asked if each.allowed), asked[0]))
    return cache(lambda place: may(view, actor, action, place).allowed)


def may_manage_members(view: View, actor: AccountId | None, of: MailList | SharedMailbox) -> Permission:
    """Decide whether *actor* may change the members of a list or shared mailbox: its managers may, nothing else."""
    action = Action.MANAGE_LISTS if isinstance(of, MailList) else Action.MANAGE_SHARED_MAILBOXES
    permission = may(view, actor, action, of.organisation)
    acting = view.account(actor) if actor is not OPERATOR else None
    if permission.allowed or acting is None or acting.id not in of.managers or not may_act(view, acting):
        return permission
    return Permission(True, f"manager of {of.slug}")


def may_see_members(view: View, actor: AccountId | None, of: MailList | SharedMailbox) -> Permission:
    """Decide whether *actor* may see who the members are: whoever manages them may.

    Those of a shared mailbox see each other, those of a list do not; whom a list reaches the helpdesk sees too.
    Those of a deleted mailbox are seen by whoever can have it back.
    """
    if isinstance(of, MailList):
        permission = may_manage_members(view, actor, of)
        return permission if permission.allowed else may(view, actor, Action.FIND_USERS, of.organisation)
    if not takes_mail(of):
        return may(view, actor, Action.MANAGE_SHARED_MAILBOXES, of.organisation)
    if actor is not OPERATOR and any(member.account == actor for member in of.members):
        return may(view, actor, Action.OWN_MAIL, of.organisation, account=actor)
    return may_manage_members(view, actor, of)


def _covers(assignment: RoleAssignment, covering: set[OrganisationId]) -> bool:
    return assignment.organisation is None or assignment.organisation in covering


def _place(view: View, assignment: RoleAssignment) -> str:
    found = view.organisation(assignment.organisation) if assignment.organisation is not None else None
    return found.slug if found is not None else "the community"


def may_grant(view: View, actor: AccountId | None, role: Role, organisation: OrganisationId | None) -> Permission:
    """Decide whether *actor* may give or take *role* over *organisation*: nobody gives more than they have."""
    permission = may(view, actor, Action.GRANT_ROLE, organisation)
    if not permission.allowed or actor is OPERATOR:
        return permission
    of_all = role in COMMUNITY_ROLES or organisation is None
    if of_all and not any(_administers_all(found) for found in view.roles_of(actor)):
        cure = "ask a community administrator: `cjsm role list`"
        return Permission(False, "only a community administrator gives this role", cure=cure)
    return permission


def require(permission: Permission) -> Permission:
    """Return *permission* when it was given.

    :raises NotAllowed: with its reason and cure.
    """
    if not permission.allowed:
        raise NotAllowed(permission.reason, permission.cure)
    return permission
