"""Applications: entered, edited, sponsored, assessed, decided (community §10).

Entries of the ledger name the application by its identifier; what is known of people stays in its record, and goes with
it.
"""

from enum import StrEnum
from typing import Any

import msgspec

from cjsm.community.acts.acting import By, changed, check_line, check_text, entry_of
from cjsm.community.acts.applicationvalues import check_free, checked
from cjsm.community.acts.keys import ITSELF
from cjsm.community.address import Address
from cjsm.community.admission import Refuse, admit
from cjsm.community.applicationrecords import (
    AcceptedTerms,
    Application,
    ApplicationState,
    Checked,
    CheckResult,
    MailSystem,
    Sponsor,
)
from cjsm.community.applying import ABOUT, OPEN, Check, missing, unchecked
from cjsm.community.authority import Action, Permission, may, require
from cjsm.community.errors import BadValue, Conflict, NotAllowed, NotFound
from cjsm.community.identifiers import AccountId, ApplicationId, OrganisationId
from cjsm.community.records import OwnerKind
from cjsm.community.states import may_sign_in
from cjsm.community.verdicts import Service, ServiceOrigin
from cjsm.community.view import Change, View

_DAY = 86_400
#: How many of the acceptances of the terms are remembered: the newest.
_TERMS_KEPT = 10


class Rejection(StrEnum):
    """Why an application is rejected; the ledger has the code, the record what somebody wrote beside it."""

    NOT_ELIGIBLE = "not-eligible"
    DUPLICATE = "duplicate"
    NO_SPONSOR = "no-sponsor"
    NOT_VERIFIED = "not-verified"
    TERMS = "terms"
    WITHDRAWN = "withdrawn"
    OTHER = "other"


def existing_application(view: View, identifier: ApplicationId) -> Application:
    """Return the application.

    :raises NotFound: when there is none.
    """
    found = view.application(identifier)
    if found is None:
        raise NotFound("there is no such application", "see `cjsm application list`")
    return found


def add(view: View, by: By, application: Application, days: int) -> Change:
    """Enter an application; *days* until it is overdue."""
    permission = require(may(view, by.actor, Action.ASSESS_APPLICATIONS, None))
    made = msgspec.structs.replace(
        checked(view, application),
        state=ApplicationState.NEW,
        created=view.moment,
        state_since=view.moment,
        due=view.moment + days * _DAY,
        entered_by=(by.actor or b"",),
    )
    check_free(view, made)
    return _done(view, by, made, permission, "application-add")


def edit(view: View, by: By, identifier: ApplicationId, values: dict[str, Any]) -> Change:
    """Change *values*, by the names of the record; the points of the checklist that they are about are open again."""
    found, permission = _open(view, by, identifier)
    made = checked(view, msgspec.structs.replace(found, **values))
    different = {name for name in values if getattr(made, name) != getattr(found, name)}
    if not different:
        raise BadValue("nothing is to be changed", "see `cjsm application edit --help`")
    if made.sponsor is not None:
        _check_another(view, made, made.sponsor.address.rpartition("@")[2])
    stale = {item for item, about in ABOUT.items() if different & about}
    actor = by.actor or b""
    made = changed(
        made,
        checks=tuple(each for each in found.checks if each.item not in stale),
        # Other people's signature, or another version's, is not this one's.
        terms=() if "signatory" in different else found.terms,
        entered_by=found.entered_by if actor in found.entered_by else (*found.entered_by, actor),
    )
    check_free(view, made)
    return _done(view, by, made, permission, "application-edit", changed=" ".join(sorted(different)))


def assess(
    view: View, by: By, identifier: ApplicationId, item: Check | None, result: CheckResult, note: str = ""
) -> Change:
    """Record what came of a point of the checklist; without one the assessment begins."""
    found, permission = _open(view, by, identifier)
    checks = found.checks
    if item is not None:
        note = check_line(note, "a note")
        if result is CheckResult.NOT_NEEDED and not (item in _SPARED and found.system is MailSystem.HOSTED):
            raise BadValue(f"{item} is needed", "only domain and mail-system are not, where mail is kept here")
        if result is CheckResult.FAILED and not note:
            raise BadValue("what failed needs a note", "give one with --note")
        made = Checked(item=item.value, result=result, moment=view.moment, by=by.actor or b"", note=note)
        checks = (*(each for each in checks if each.item != item), made)
    elif found.state is not ApplicationState.NEW:
        raise Conflict(f"it is {found.state} already", "name a point of the checklist")
    begun = found.state is ApplicationState.NEW
    made_of = changed(
        found,
        checks=checks,
        state=ApplicationState.IN_ASSESSMENT if begun else found.state,
        state_since=view.moment if begun else found.state_since,
    )
    told = {"item": item.value, "result": result.value} if item is not None else {}
    return _done(view, by, made_of, permission, "application-assess", **told)


_SPARED = frozenset({Check.DOMAIN, Check.MAIL_SYSTEM})


def ask_sponsor(view: View, by: By, identifier: ApplicationId, address: Address, code: bytes, days: int) -> Change:
    """Name the sponsor, to whose address a code goes; *code* is its keyed tag, good for *days*."""
    found, permission = _open(view, by, identifier)
    check_sponsor(view, found, address)
    sponsor = Sponsor(address=str(address), code=code, expires=view.moment + days * _DAY)
    return _sponsored(view, by, found, sponsor, permission, "application-sponsor-ask")


def check_sponsor(view: View, application: Application, address: Address) -> None:
    """Check that *address* is a member's, who is not of the organisation that applies.

    :raises Conflict: when it is not.
    """
    verdict = admit(view, ServiceOrigin(service=Service.NOTICE), None, address)
    if isinstance(verdict, Refuse):
        raise Conflict(f"{address} cannot be a sponsor: {verdict.text}", "name a member of an approved organisation")
    record = view.address(str(address))
    account = view.account(AccountId(record.owner)) if record and record.owner_kind is OwnerKind.ACCOUNT else None
    if record is not None and (account is None or not may_sign_in(view, account)):
        raise Conflict(f"{address} is nobody who can answer: a sponsor is a person, who may sign in", "name another")
    _check_another(view, application, address.domain)


def _check_another(view: View, application: Application, domain: str) -> None:
    """Check that a sponsor's *domain* is not that of the organisation which applies."""
    if application.domain and domain == f"{application.domain}.{view.suffix}":
        raise Conflict("the sponsor is of the organisation that applies", "name a member of another one as sponsor")


def confirm_sponsor(view: View, by: By, identifier: ApplicationId, tag: bytes, tries: int) -> Change:
    """Take the sponsor's word: *tag* is that of the code which was shown. A wrong one is counted, *tries* at most.

    The change tells which it was: see :func:`is_confirmed`.

    :raises NotAllowed: when there is no code to show any more.
    """
    found, permission = _open(view, by, identifier)
    sponsor = found.sponsor
    if sponsor is None or not sponsor.code or view.moment >= sponsor.expires or sponsor.failed >= tries:
        raise NotAllowed("there is no code to show", "send another: cjsm application sponsor NAME ADDRESS")
    if tag != sponsor.code:
        counted = msgspec.structs.replace(sponsor, failed=sponsor.failed + 1)
        return _sponsored(view, by, found, counted, permission, "application-sponsor-wrong")
    confirmed = msgspec.structs.replace(sponsor, code=b"", confirmed=view.moment, confirmed_by=by.actor or b"")
    return _sponsored(view, by, found, confirmed, permission, "application-sponsor")


def is_confirmed(change: Change) -> bool:
    """Whether :func:`confirm_sponsor` took the sponsor's word."""
    return any(isinstance(each, Application) and each.sponsor and each.sponsor.confirmed for each in change.put)


def note_sponsor(view: View, by: By, identifier: ApplicationId, address: Address, note: str) -> Change:
    """Record the sponsor's word without a code: an administrator's act, with what they know of it."""
    found, permission = _open(view, by, identifier, Action.DECIDE_APPLICATIONS)
    check_sponsor(view, found, address)
    sponsor = Sponsor(
        address=str(address),
        confirmed=view.moment,
        confirmed_by=by.actor or b"",
        note=check_text(note, "a note"),
    )
    return _sponsored(view, by, found, sponsor, permission, "application-sponsor", without="code")


def accept_terms(view: View, by: By, identifier: ApplicationId, version: str) -> Change:
    """Record that the signatory accepts the terms: before the decision, and every year after it was approved."""
    found = existing_application(view, identifier)
    permission = require(may(view, by.actor, Action.ASSESS_APPLICATIONS, None))
    if found.state is ApplicationState.REJECTED:
        raise Conflict("this application was rejected", "enter another one")
    who = " ".join(filter(None, (found.signatory.first_name, found.signatory.last_name)))
    if not who:
        raise Conflict("there is no signatory", "name one first: cjsm application edit")
    accepted = AcceptedTerms(version=version, moment=view.moment, signatory=who, by=by.actor or b"")
    made = changed(found, terms=(*found.terms, accepted)[-_TERMS_KEPT:])
    return _done(view, by, made, permission, "application-terms", version=version)


def approve(
    view: View,
    by: By,
    identifier: ApplicationId,
    organisation: OrganisationId,
    *,
    terms_version: str,
    by_another: bool,
) -> Change:
    """Approve an application that has everything, whose *organisation* is made in the same commit.

    :param by_another: whether whoever entered or edited it may not.
    :raises Conflict: naming what it does not have.
    """
    found = decidable(view, by, identifier, terms_version=terms_version, by_another=by_another)
    permission = require(may(view, by.actor, Action.DECIDE_APPLICATIONS, None))
    made = _decided(view, by, found, ApplicationState.APPROVED, organisation=organisation)
    return _done(view, by, made, permission, "application-approve", organisation=organisation.hex())


def decidable(view: View, by: By, identifier: ApplicationId, *, terms_version: str, by_another: bool) -> Application:
    """Return the application when it can be approved by whoever acts.

    :raises CommunityError: saying why it cannot.
    """
    found, _ = _open(view, by, identifier, Action.DECIDE_APPLICATIONS)
    if by_another and (by.actor or b"") in found.entered_by:
        told = "only somebody else than those who entered or edited it approves it"
        raise NotAllowed(told, "ask another administrator")
    if by_another and by.actor is not None and _is_sponsor(view, found, by.actor):
        raise NotAllowed("a sponsor does not approve", "ask another administrator")
    lacking = [*missing(found, terms_version), *(f"the check {item}" for item in unchecked(found))]
    if lacking:
        raise Conflict(f"it still needs {'; '.join(lacking)}", "see `cjsm application show`")
    return found


def _is_sponsor(view: View, application: Application, account: AccountId) -> bool:
    sponsor = application.sponsor
    record = view.reserved_address(sponsor.address) if sponsor is not None else None
    return record is not None and record.owner == account


def reject(view: View, by: By, identifier: ApplicationId, code: Rejection, note: str = "") -> Change:
    """Reject an application; nothing personal is left of it after some time."""
    found, permission = _open(view, by, identifier, Action.DECIDE_APPLICATIONS)
    made = _decided(view, by, found, ApplicationState.REJECTED, code=code.value, note=check_line(note, "a note"))
    return _done(view, by, made, permission, "application-reject", code=code.value)


def overdue(view: View, by: By, identifier: ApplicationId) -> Change:
    """Mark an application whose time is over. The service's own act."""
    found = existing_application(view, identifier)
    if found.state not in OPEN - {ApplicationState.OVERDUE} or view.moment < found.due:
        return Change()
    made = changed(found, state=ApplicationState.OVERDUE, state_since=view.moment)
    return _done(view, by, made, ITSELF, "application-overdue")


def erase(view: View, by: By, identifier: ApplicationId, before: int) -> Change:
    """Take from an application that was rejected before a moment what is known of people. The service's own act."""
    found = existing_application(view, identifier)
    if found.state is not ApplicationState.REJECTED or found.erased or found.state_since >= before:
        return Change()
    made = Application(
        id=found.id,
        slug="",
        name="",
        state=found.state,
        state_since=found.state_since,
        created=found.created,
        due=found.due,
        entered_by=found.entered_by,
        decided_by=found.decided_by,
        code=found.code,
        erased=view.moment,
        version=found.version + 1,
    )
    # What entries keep beside them in words goes with it.
    change = _done(view, by, made, ITSELF, "application-erase")
    return msgspec.structs.replace(change, forgotten=(found.id,))


def _open(
    view: View, by: By, identifier: ApplicationId, action: Action = Action.ASSESS_APPLICATIONS
) -> tuple[Application, Permission]:
    """Return an application that nobody has decided on, and the permission to do *action* to it."""
    permission = require(may(view, by.actor, action, None))
    found = existing_application(view, identifier)
    if found.state not in OPEN:
        raise Conflict(f"this application was {found.state}", "see `cjsm application show`")
    return found, permission


def _decided(view: View, by: By, found: Application, state: ApplicationState, **changes: object) -> Application:
    return changed(found, state=state, state_since=view.moment, decided_by=by.actor or b"", **changes)


def _sponsored(
    view: View, by: By, found: Application, sponsor: Sponsor, permission: Permission, act: str, **told: str
) -> Change:
    return _done(view, by, changed(found, sponsor=sponsor), permission, act, **told)


def _done(view: View, by: By, made: Application, permission: Permission, act: str, **told: str) -> Change:
    return Change(put=(made,), entry=entry_of(view, by, act, "application", made.id, permission, **told))
