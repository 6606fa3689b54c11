"""What an application still needs, what it may be a duplicate of, and when its terms are due."""

from collections.abc import Iterator
from enum import StrEnum

from cjsm.community import states
from cjsm.community.acts.domains import canonical_domain
from cjsm.community.applicationrecords import Application, ApplicationState, CheckResult, MailSystem, Person
from cjsm.community.errors import NotFound, quoted
from cjsm.community.identifiers import ApplicationId, from_text, text
from cjsm.community.records import OrganisationState
from cjsm.community.view import View

#: States in which nobody has decided yet.
OPEN = frozenset({ApplicationState.NEW, ApplicationState.IN_ASSESSMENT, ApplicationState.OVERDUE})
_DAY = 86_400


class Check(StrEnum):
    """The points of the assessment; :data:`QUESTIONS` says what each asks."""

    CONTACT = "contact"
    ELIGIBLE = "eligible"
    DUPLICATE = "duplicate"
    DOMAIN = "domain"
    MAIL_SYSTEM = "mail-system"
    ADMINISTRATOR = "administrator"
    SIGNATORY = "signatory"


QUESTIONS = {
    Check.CONTACT: "called back under a number that the organisation publishes: the contact is theirs",
    Check.ELIGIBLE: "works in the justice system, and needs this",
    Check.DUPLICATE: "is not here already, under this name or another",
    Check.DOMAIN: "the domain is the organisation's",
    Check.MAIL_SYSTEM: "its mail system can do what a connection needs: cjsm connection test, once it is there",
    Check.ADMINISTRATOR: "the first administrator is who they say",
    Check.SIGNATORY: "the signatory may sign for the organisation",
}
#: Values that each point is about: it is to be looked into again when one of them changes.
ABOUT: dict[Check, frozenset[str]] = {
    Check.CONTACT: frozenset({"contact"}),
    Check.ELIGIBLE: frozenset({"name", "need", "business_type"}),
    Check.DUPLICATE: frozenset({"name", "domain", "postcode"}),
    Check.DOMAIN: frozenset({"domain"}),
    Check.MAIL_SYSTEM: frozenset({"system", "next_hops", "provider", "tenant", "domain"}),
    Check.ADMINISTRATOR: frozenset({"administrator"}),
    Check.SIGNATORY: frozenset({"signatory"}),
}


def application_of(view: View, name: str) -> Application:
    """Return the application with a short name, the newest of several, or with an identifier.

    :raises NotFound: when there is none.
    """
    told = name.lower()
    found = [each for each in view.applications() if told == each.slug]
    if found:
        return max(found, key=lambda each: (each.state in OPEN, each.created, each.id))
    try:
        known = view.application(ApplicationId(from_text(told)))
    except ValueError:
        known = None
    if known is None:
        raise NotFound(f"there is no application {quoted(name)}", "see `cjsm application list`")
    return known


def name_of(application: Application) -> str:
    """Return what :func:`application_of` finds an application under; one whose names went has its identifier."""
    return application.slug or text(application.id)


def missing(application: Application, terms_version: str) -> tuple[str, ...]:
    """Return what an application does not have yet, in the order of its steps; empty when it has all."""
    return tuple(_missing(application, terms_version))


def _missing(application: Application, terms_version: str) -> Iterator[str]:
    own = application.system is not MailSystem.HOSTED
    yield from _person("contact", application.contact)
    if own and not application.domain:
        yield "a domain, since it has a mail system of its own"
    if application.sponsor is None:
        yield "a sponsor"
    elif not application.sponsor.confirmed:
        yield "the sponsor's word"
    if not application.need:
        yield "what it needs this for"
    if not application.users:
        yield "how many people there will be"
    if own and not application.next_hops:
        yield "a next hop: where mail to it goes"
    if application.system is MailSystem.CLOUD and not (application.provider and application.tenant):
        yield "a provider and a tenant"
    for name, words in _PLACE.items():
        if not getattr(application, name):
            yield words
    yield from _person("first administrator", application.administrator)
    if own and application.domain and not application.administrator.email.endswith(f"@{application.domain}"):
        yield f"an administrator's email in {application.domain}, since their mail goes there"
    if not application.abbreviation:
        yield "an abbreviation"
    yield from _person("signatory", application.signatory)
    if not application.terms or application.terms[-1].version != terms_version:
        yield f"the signatory's acceptance of the terms, version {terms_version}"


_PLACE = {
    "address1": "the first line of its address",
    "town": "a town",
    "postcode": "a postcode",
    "business_type": "a business type",
    "area": "an area",
}


def _person(what: str, person: Person) -> Iterator[str]:
    if not (person.first_name and person.last_name):
        yield f"the name of the {what}"
    if not person.email:
        yield f"the email of the {what}"


def unchecked(application: Application) -> tuple[Check, ...]:
    """Return the points that nobody looked into, or that did not pass."""
    good = {each.item for each in application.checks if each.result is not CheckResult.FAILED}
    return tuple(item for item in Check if item not in good)


def duplicates(view: View, application: Application) -> tuple[str, ...]:
    """Return what is here already and may be the same, in words: somebody has to look whether it is."""
    return tuple(_duplicates(view, application))


def _duplicates(view: View, application: Application) -> Iterator[str]:
    name = application.name.casefold()
    for organisation in view.organisations():
        if organisation.id == application.organisation:
            continue
        if organisation.name.casefold() == name:
            yield f"an organisation of this name: {organisation.slug}"
        elif organisation.parent is None and organisation.slug == application.slug:
            yield f"an organisation with this short name: {organisation.name}"
    domain = view.domain(canonical_domain(view, application.domain)) if application.domain else None
    if domain is not None and application.organisation is None:
        yield f"the domain is connected: {domain.name}"
    for other in view.applications():
        if other.id != application.id and other.name.casefold() == name:
            yield f"an application of this name, {other.state}: {text(other.id)}"


def terms_end(application: Application, days: int, version: str) -> int | None:
    """Return when the terms are to be accepted anew: 0 where another version came; None before they ever were."""
    if not application.terms:
        return None
    last = application.terms[-1]
    return last.moment + days * _DAY if last.version == version else 0


def terms_are_due(view: View, found: Application, *, days: int, version: str, warning: int) -> bool:
    """Whether the terms of an organisation that is here are to be accepted anew: now, or within *warning* days."""
    end = terms_end(found, days, version)
    made = found.organisation
    here = made is not None and states.organisation_state(view, made) is not OrganisationState.DELETED
    return here and (end is None or end - warning * _DAY <= view.moment)
