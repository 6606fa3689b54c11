"""What the values of an application may be: each check returns the value in its one stored form."""

from collections.abc import Iterable

import msgspec

from cjsm.community.acts.acting import check_line, check_text
from cjsm.community.acts.connectionvalues import check_short_name, checked_hop, hop_in_words, next_hop_of
from cjsm.community.acts.domains import canonical_domain
from cjsm.community.acts.persons import checked_email
from cjsm.community.address import Address, check_slug
from cjsm.community.applicationrecords import Application, Person
from cjsm.community.applying import OPEN
from cjsm.community.errors import BadValue, Exists
from cjsm.community.view import View

_MOST_USERS = 1_000_000
_NEXT_HOPS = 8
#: Values of an application that are a line of text, which may be empty.
_LINES = ("need", "provider", "tenant", "address1", "address2", "town", "postcode", "business_type", "area")
_PEOPLE = ("contact", "administrator", "signatory")


def checked(view: View, application: Application) -> Application:
    """Return the application with every value in its stored form.

    :raises BadValue: naming the value that is not taken.
    """
    slug = check_short_name(application.slug)
    domain = application.domain and canonical_domain(view, application.domain).removesuffix(f".{view.suffix}")
    abbreviation = application.abbreviation.lower()
    if abbreviation:
        check_slug(abbreviation)
    if not 0 <= application.users <= _MOST_USERS:
        raise BadValue(f"there are 0 to {_MOST_USERS:,} people")
    if len(application.next_hops) > _NEXT_HOPS:
        raise BadValue(f"there are at most {_NEXT_HOPS} next hops")
    lines = {name: check_line(getattr(application, name), name.replace("_", " ")) for name in _LINES}
    people = {name: _person(view, getattr(application, name), name) for name in _PEOPLE}
    return msgspec.structs.replace(
        application,
        slug=slug,
        name=check_text(application.name, "a name"),
        domain=domain,
        abbreviation=abbreviation,
        next_hops=tuple(hop_in_words(checked_hop(next_hop_of(each))) for each in application.next_hops),
        **lines,
        **people,
    )


def _person(view: View, person: Person, who: str) -> Person:
    values = msgspec.structs.asdict(person).items()
    told = {name: check_line(value, f"{who}: {name.replace('_', ' ')}") for name, value in values}
    if told["email"]:
        # Plain as well as ordinary: with the suffix it may become a member's address.
        told["email"] = str(Address.parse(checked_email(view, told["email"])))
    return Person(**told)


def check_free(view: View, application: Application) -> None:
    """Check that nobody else asks for the same, and that the abbreviation is free.

    :raises Exists: when somebody does, or it is not.
    """
    abbreviation = application.abbreviation
    if abbreviation and view.organisation_of_abbreviation(abbreviation) is not None:
        raise Exists(f"the abbreviation {abbreviation!r} is taken", "choose another")
    for other in _others(view, application):
        for what, value, theirs in (
            ("short name", application.slug, other.slug),
            ("domain", application.domain, other.domain),
            ("abbreviation", abbreviation, other.abbreviation),
        ):
            if value and value == theirs:
                told = f"the application {other.slug} asks for the {what} {value!r} already"
                raise Exists(told, "see whether it is the same")


def _others(view: View, application: Application) -> Iterable[Application]:
    return (each for each in view.applications() if each.id != application.id and each.state in OPEN)
