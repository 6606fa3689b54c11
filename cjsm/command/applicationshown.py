"""An application as commands show it."""

from typing import Any

from cjsm.command.applicationvalues import PEOPLE
from cjsm.command.output import facts, when
from cjsm.community import applying, finding
from cjsm.community.acts import applications
from cjsm.community.applicationrecords import Application, Checked, Person
from cjsm.community.applying import QUESTIONS, Check
from cjsm.community.identifiers import AccountId, ApplicationId, text
from cjsm.community.view import View
from cjsm.configuration import ApplicationSettings
from cjsm.suite import Suite

#: What a list has of each.
COLUMNS = ("application", "name", "state", "due", "missing", "unchecked", "terms")


def line(found: Application, settings: ApplicationSettings) -> dict[str, Any]:
    """Return what a list has of an application."""
    waits = found.state in applying.OPEN
    return {
        "application": applying.name_of(found),
        "name": found.name,
        "state": found.state,
        "due": when(found.due) if waits else None,
        "missing": len(applying.missing(found, settings.terms_version)) if waits else 0,
        "unchecked": len(applying.unchecked(found)) if waits else 0,
        "terms": _terms_end(found, settings),
    }


def _terms_end(found: Application, settings: ApplicationSettings) -> str | None:
    end = applying.terms_end(found, settings.terms, settings.terms_version)
    return "now" if end == 0 else when(end)


def _who(view: View, identifier: bytes) -> str:
    found = view.account(AccountId(identifier)) if identifier else None
    return found.user_id if found is not None else "somebody who is gone" if identifier else "the operator"


def _person(person: Person) -> str | None:
    words = " ".join(filter(None, (person.first_name, person.last_name)))
    return ", ".join(filter(None, (words, person.position, person.email, person.telephone))) or None


def _told(view: View, found: Application, settings: ApplicationSettings) -> dict[str, Any]:
    """Return everything about an application, for people and programs."""
    waits = found.state in applying.OPEN
    plain = ("name", "domain", "need", "users", "system", "next_hops", "provider", "tenant", "address1", "address2",
             "town", "postcode", "business_type", "area", "protected", "abbreviation")  # fmt: skip
    return {
        "application": applying.name_of(found),
        "id": text(found.id),
        "state": found.state,
        "state_since": when(found.state_since),
        "due": when(found.due) if waits else None,
        "entered_by": [_who(view, each) for each in found.entered_by],
        **{name: getattr(found, name) for name in plain},
        **{who: _person(getattr(found, who)) for who in PEOPLE},
        "sponsor": _sponsor(view, found),
        "terms": [f"version {each.version}, {when(each.moment)}, {each.signatory}" for each in found.terms],
        "terms_end": _terms_end(found, settings),
        "missing": list(applying.missing(found, settings.terms_version)) if waits else [],
        "duplicates": list(applying.duplicates(view, found)) if waits else [],
        "checklist": {item.value: _checked(view, found.checks, item) for item in Check},
        "decided_by": None if waits else _who(view, found.decided_by),
        "reason": found.code or None,
        "note": found.note or None,
        "organisation": finding.path_of(view, found.organisation) or None,
        "erased": when(found.erased),
    }


def _sponsor(view: View, found: Application) -> dict[str, Any] | None:
    sponsor = found.sponsor
    if sponsor is None:
        return None
    return {
        "address": sponsor.address,
        "confirmed": when(sponsor.confirmed),
        "recorded_by": _who(view, sponsor.confirmed_by) if sponsor.confirmed else None,
        "note": sponsor.note or None,
        "code_until": when(sponsor.expires) if sponsor.code else None,
        "wrong_codes": sponsor.failed,
    }


def _checked(view: View, checks: tuple[Checked, ...], item: Check) -> dict[str, Any] | str:
    found = next((each for each in checks if each.item == item), None)
    if found is None:
        return f"open: {QUESTIONS[item]}"
    told = {"result": found.result, "when": when(found.moment), "by": _who(view, found.by)}
    return told | ({"note": found.note} if found.note else {})


def report(suite: Suite, identifier: ApplicationId, as_json: bool) -> None:
    """Print an application as it is now."""
    settings = suite.settings.applications

    def look(view: View) -> dict[str, Any]:
        return _told(view, applications.existing_application(view, identifier), settings)

    told = suite.stores.community.read_now(look)
    facts(told, as_json=as_json)
