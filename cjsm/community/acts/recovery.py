"""Recovery of mail: officers, requests, and the two approvals by two people of two authorities (vault, "Acts")."""

import msgspec

from cjsm.community import states
from cjsm.community.acts.acting import By, changed, check_owner_not_deleted, entry_of, existing
from cjsm.community.acts.credentials import KeyStep
from cjsm.community.acts.keys import ITSELF, MailboxStep, with_step
from cjsm.community.acts.reasons import check_reason
from cjsm.community.acts.shared import member_of
from cjsm.community.authority import Action, Permission, may, may_grant, require
from cjsm.community.errors import BadValue, Conflict, NotAllowed, NotFound, Overtaken
from cjsm.community.identifiers import AccountId, OrganisationId, RequestId
from cjsm.community.records import (
    COMMUNITY,
    LedgerEntry,
    MailboxRight,
    Recovery,
    RecoveryAuthority,
    RecoveryRequest,
    RequestState,
    Role,
    RoleAssignment,
)
from cjsm.community.view import Change, View

#: States from which a request may still be approved or refused.
PENDING = frozenset({RequestState.REQUESTED, RequestState.COUNTER_SIGNED})


#: How names begin under which somebody reads for a time.
RECOVERED = "recovered-"


def parties(view: View, organisation: OrganisationId) -> tuple[RecoveryAuthority, RecoveryAuthority] | None:
    """Return whose officers recover mail that *organisation* owns, and whose counter-sign it.

    The nearest authority from the organisation upwards, and the next above that, at last the community's. None where
    the organisation has chosen that nothing is recovered, or there are not two.
    """
    above = tuple(states.chain(view, organisation))
    if not above or above[0].recovery is Recovery.NONE:
        return None
    places = (*(found.id for found in above), COMMUNITY)
    found = [authority for place in places if (authority := view.recovery_authority(place)) is not None]
    return (found[0], found[1]) if len(found) > 1 and found[0].id != COMMUNITY else None


def officers(view: View, authority: OrganisationId) -> tuple[AccountId, ...]:
    """Return the recovery officers of an authority."""
    held = view.roles_over(None if authority == COMMUNITY else authority)
    return tuple(sorted({each.account for each in held if each.recovery_officer}))


def appoint(view: View, by: By, account: AccountId, authority: RecoveryAuthority, keys: KeyStep, read: int) -> Change:
    """Make an administrator of an organisation, or of the community, one of its recovery officers.

    An account is an officer of one authority only, so that two approvals are two people's.

    :param authority: with a new key, which every officer, the new one among them, was granted.
    :param read: the version of its key record that it was made from; 0 for the first.
    """
    held = _administers(view, account, authority.id)
    permission = require(may_grant(view, by.actor, held.role, held.organisation))
    if any(each.recovery_officer and each.id != held.id for each in view.roles_of(account)):
        raise Conflict("this user is a recovery officer elsewhere", "two approvals must be two people's")
    found = existing(view, account)
    if found.keys != keys.read:
        raise Overtaken("this user's passwords were changed at the same moment", "try again")
    made = _named(view, authority, read)
    officer = msgspec.structs.replace(held, recovery_officer=True)
    told = {"authority": authority.id.hex(), "key": str(authority.number)}
    entry = entry_of(view, by, "recovery-officer-add", "account", account, permission, **told)
    return Change(put=(made, officer, changed(found, keys=keys.written)), entry=entry)


def dismiss(view: View, by: By, account: AccountId, authority: RecoveryAuthority, read: int) -> Change:
    """Take that right away; *authority* has a new key without them. The last officer stays while there is one."""
    held = _administers(view, account, authority.id)
    permission = require(may_grant(view, by.actor, held.role, held.organisation))
    if not held.recovery_officer:
        raise NotFound("this user is no recovery officer there", "see `cjsm recovery officers`")
    if officers(view, authority.id) == (account,):
        raise Conflict("nobody would be left to recover mail", "appoint another officer first")
    made = _named(view, authority, read)
    told = {"authority": authority.id.hex(), "key": str(authority.number)}
    entry = entry_of(view, by, "recovery-officer-remove", "account", account, permission, **told)
    return Change(put=(made, msgspec.structs.replace(held, recovery_officer=False)), entry=entry)


def _administers(view: View, account: AccountId, authority: OrganisationId) -> RoleAssignment:
    where = None if authority == COMMUNITY else authority
    role = Role.COMMUNITY_ADMINISTRATOR if where is None else Role.ORGANISATION_ADMINISTRATOR
    for held in view.roles_of(account):
        if (held.role, held.organisation) == (role, where):
            return held
    raise Conflict(f"a recovery officer is {role} of just that place", "grant that role first: cjsm role grant")


def _named(view: View, authority: RecoveryAuthority, read: int) -> RecoveryAuthority:
    before = view.recovery_authority(authority.id)
    if (before.keys if before is not None else 0) != read:
        raise Overtaken("this recovery key was changed at the same moment", "try again")
    version = before.version + 1 if before is not None else 1
    return msgspec.structs.replace(authority, since=view.moment, version=version)


def request(view: View, by: By, wanted: RecoveryRequest) -> Change:
    """Ask that closed mail is opened to its owner again, or until a date to somebody else."""
    existing(view, wanted.account)
    permission = require(may(view, by.actor, Action.ASK_RECOVERY, _owner(view, wanted), account=wanted.account))
    check_reason(by.reason)
    existing(view, wanted.beneficiary)
    if not wanted.generations:
        raise Conflict("there is nothing closed that recovery could open", "see `cjsm keys show`")
    _check_reads(view, wanted)
    other = wanted.beneficiary != wanted.account
    if other and (wanted.until is None or wanted.until <= view.moment):
        raise BadValue("somebody else reads for a time only", "give its end with --days")
    same = (wanted.mailbox, wanted.beneficiary)
    for each in view.recovery_requests():
        waits = each.state in PENDING and _live(each, view.moment)
        if (each.mailbox, each.beneficiary) == same and (waits or reading_until(view, each)):
            raise Conflict("there is such a request already", "see `cjsm recovery list`")
    made = msgspec.structs.replace(
        wanted,
        reason=by.reason,
        requested_by=by.actor or b"",
        created=view.moment,
        until=wanted.until if other else None,
        state=RequestState.REQUESTED,
    )
    told = {
        "request": made.id.hex(),
        "beneficiary": made.beneficiary.hex(),
        "generations": " ".join(str(each) for each in made.generations),
        "until": str(made.until or ""),
    }
    if view.kept_shared_mailbox(made.mailbox) is not None:
        told["mailbox"] = made.mailbox.hex()
    entry = entry_of(view, by, "recovery-request", "account", wanted.account, permission, **told)
    return Change(put=(made,), entry=entry)


def _owner(view: View, request: RecoveryRequest) -> OrganisationId:
    """Return whose mailbox it is: for a shared one not the organisation of who reads it, which may be another."""
    shared = view.kept_shared_mailbox(request.mailbox)
    return shared.organisation if shared is not None else existing(view, request.account).organisation


def _check_reads(view: View, request: RecoveryRequest) -> None:
    """A shared mailbox is opened again to somebody who reads it, and no further back than they may read."""
    shared = view.kept_shared_mailbox(request.mailbox)
    if shared is None:
        return
    check_owner_not_deleted(view, shared)
    member = member_of(shared, request.beneficiary)
    if member is None or MailboxRight.READ not in member.rights or min(request.generations) < member.first:
        raise Conflict("a shared mailbox is opened again to who reads it", "see `cjsm shared show`")


def counter_sign(view: View, by: By, identifier: RequestId, written: int) -> Change:
    """The first approval: the counter-signer's officer hands the keys over, sealed to the organisation's officers.

    :param written: the version of what was handed over; the key store has it, and nobody looks at it before this.
    """
    found = pending(view, identifier, RequestState.REQUESTED)
    permission = _officer(view, by, found.counter_signer, found)
    made = _moved(
        found,
        RequestState.COUNTER_SIGNED,
        counter_signed_by=by.actor or b"",
        counter_signed=view.moment,
        keys=written,
    )
    return Change(put=(made,), entry=_entry(view, by, "recovery-counter-sign", made, permission))


def open_mail(view: View, by: By, identifier: RequestId, step: MailboxStep, delay: int = 0) -> Change:
    """The second approval: the organisation's officer opens what was handed over; *step* grants it to the beneficiary.

    :param delay: seconds that have to lie between the approvals.
    """
    found = pending(view, identifier, RequestState.COUNTER_SIGNED)
    permission = _officer(view, by, found.organisation, found)
    if by.actor == found.counter_signed_by:
        raise NotAllowed("two approvals are two people's", "let another recovery officer approve")
    _check_reads(view, found)
    if view.moment < found.counter_signed + delay:
        raise Conflict("the time between the approvals is not over", "see `cjsm recovery list`")
    named = with_step(view, step)
    made = _moved(found, RequestState.OPENED, opened_by=by.actor or b"", keys=0)
    return Change(put=(made, named), entry=_entry(view, by, "recovery-open", made, permission))


def refuse(view: View, by: By, identifier: RequestId) -> Change:
    """Say no: an officer of either authority, or who may ask."""
    found = pending(view, identifier)
    permission = may(view, by.actor, Action.ASK_RECOVERY, _owner(view, found), account=found.account)
    if not permission.allowed:
        either = {*officers(view, found.organisation), *officers(view, found.counter_signer)}
        if by.actor not in either or not _acts(view, by.actor):
            raise NotAllowed("only its officers and who may ask for recovery refuse it", "see `cjsm recovery officers`")
        permission = Permission(True, "recovery officer")
    made = _moved(found, RequestState.REFUSED, keys=0)
    return Change(put=(made,), entry=_entry(view, by, "recovery-refuse", made, permission))


def is_officer(view: View, account: AccountId) -> bool:
    """Whether somebody is a recovery officer; whether their password opens an authority key is another question."""
    return any(held.recovery_officer for held in view.roles_of(account))


def may_see(view: View, actor: AccountId | None, request: RecoveryRequest) -> Permission:
    """Decide whether *actor* may see a request: whom it concerns, whoever approves it, and who may ask for such."""
    account = view.account(request.account)
    parties_to = {request.account, request.beneficiary, request.requested_by}
    approving = {*officers(view, request.organisation), *officers(view, request.counter_signer)}
    if actor is not None and actor in parties_to | approving and _acts(view, actor):
        return Permission(True, "a party to this request")
    place = _owner(view, request) if account is not None else request.organisation
    return may(view, actor, Action.ASK_RECOVERY, place)


def end(view: View, by: By, identifier: RequestId, step: MailboxStep | None) -> Change:
    """Somebody's time to read is over; *step* takes their keys back. The service's own act."""
    found = view.recovery_request(identifier)
    if found is None or not over(view, found):
        raise Conflict("nobody's time is over there")
    put = (_moved(found, RequestState.ENDED), *((with_step(view, step),) if step is not None else ()))
    return Change(put=put, entry=_entry(view, by, "recovery-end", found, ITSELF))


def lapse(view: View, by: By, identifier: RequestId) -> Change:
    """Nobody approved a request in time: what was handed over goes. The service's own act."""
    found = view.recovery_request(identifier)
    if found is None or not lapsed(view, found):
        raise Conflict("this request may still be approved")
    made = _moved(found, RequestState.REFUSED, keys=0)
    return Change(put=(made,), entry=_entry(view, by, "recovery-lapse", made, ITSELF))


def lapsed(view: View, request: RecoveryRequest) -> bool:
    """Whether nobody approved a request in time."""
    return request.state in PENDING and not _live(request, view.moment)


def over(view: View, request: RecoveryRequest) -> bool:
    """Whether somebody's time to read is over, and their keys are to be taken back."""
    return request.state is RequestState.OPENED and request.until is not None and request.until <= view.moment


def pending(view: View, identifier: RequestId, *wanted: RequestState) -> RecoveryRequest:
    """Return the request while it waits for an approval.

    :raises CommunityError: when there is none, or it does not wait for this.
    """
    found = view.recovery_request(identifier)
    if found is None:
        raise NotFound("there is no such request", "see `cjsm recovery list`")
    if found.state not in (wanted or PENDING):
        cure = "the counter-signer goes first" if found.state is RequestState.REQUESTED else "see `cjsm recovery list`"
        raise Conflict(f"this request is {found.state}", cure)
    if not _live(found, view.moment):
        raise Conflict("nobody approved this request in time", "ask again")
    return found


def recovered_name(request: RecoveryRequest) -> str:
    """Return what somebody who reads for a time writes behind ``/`` when signing in."""
    return f"{RECOVERED}{request.id.hex()[:8]}"


def reading_until(view: View, request: RecoveryRequest) -> bool:
    """Whether somebody who is not the owner may read what was opened to them now."""
    opened = request.state is RequestState.OPENED and request.beneficiary != request.account
    return opened and request.until is not None and view.moment < request.until


def _live(request: RecoveryRequest, moment: int) -> bool:
    return moment < request.expires


def _officer(view: View, by: By, authority: OrganisationId, request: RecoveryRequest) -> Permission:
    if by.actor is None or by.actor not in officers(view, authority) or not _acts(view, by.actor):
        raise NotAllowed("this is for a recovery officer of just that authority", "see `cjsm recovery officers`")
    if by.actor == request.beneficiary:
        raise NotAllowed("nobody opens mail to themselves", "let another recovery officer approve")
    return Permission(True, "recovery officer")


def _acts(view: View, account: AccountId) -> bool:
    return states.may_act(view, existing(view, account))


def _moved(request: RecoveryRequest, state: RequestState, **changes: object) -> RecoveryRequest:
    return changed(request, state=state, **changes)


def _entry(view: View, by: By, act: str, made: RecoveryRequest, permission: Permission) -> LedgerEntry:
    told = {"request": made.id.hex(), "beneficiary": made.beneficiary.hex()}
    return entry_of(view, by, act, "account", made.account, permission, **told)
