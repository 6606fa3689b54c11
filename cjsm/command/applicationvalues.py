"""The options that say what an application is, shared by ``add`` and ``edit``."""

from collections.abc import Callable
from email.utils import parseaddr
from typing import Any, TypeVar

import msgspec
import rich_click as click

from cjsm.community.applicationrecords import Application, MailSystem, Person

F = TypeVar("F", bound=Callable[..., Any])

PEOPLE = {
    "contact": "whom to ask",
    "administrator": "who is to be the first administrator",
    "signatory": "who signs the terms for the organisation",
}


def _person(context: click.Context, option: click.Parameter, value: str | None) -> Person | None:
    """Read ``First Last <email>``."""
    if value is None:
        return None
    name, email = parseaddr(value)
    first, _, last = name.strip().rpartition(" ")
    if not (first and last and "@" in email):
        raise click.BadParameter(f'{value!r} has no name and email: write it like "Jo Law <jo@firm.co.uk>"')
    return Person(first_name=first, last_name=last, email=email)


def _options() -> list[Any]:
    options = [
        click.option("--domain", help="The organisation's own, such as firm.co.uk."),
        click.option("--need", help="What it needs this for."),
        click.option("--users", type=click.IntRange(min=0), help="How many people there will be."),
        click.option("--system", type=click.Choice([each.value for each in MailSystem]),
                     help="Where its mail is kept: here (hosted), or in what system of its own."),
        click.option("--next-hop", "next_hops", multiple=True, metavar="HOST:PORT",
                     help="Where mail to its own system goes; repeat for more."),
        click.option("--provider", help="Of a cloud tenant."),
        click.option("--tenant", help="Of a cloud tenant."),
        click.option("--address1", help="Its postal address."),
        click.option("--address2"),
        click.option("--town"),
        click.option("--postcode"),
        click.option("--business-type", help="Such as Police, Solicitors, Court."),
        click.option("--area", help="The criminal justice area."),
        click.option("--protected/--not-protected", default=None, help="A refuge or witness service."),
        click.option("--abbreviation", help="One short word: hosted addresses become first.last@ABBREVIATION.suffix."),
    ]  # fmt: skip
    for who, words in PEOPLE.items():
        options += [
            click.option(f"--{who}", callback=_person, metavar="'FIRST LAST <EMAIL>'", help=f"{words.capitalize()}."),
            click.option(f"--{who}-telephone"),
            click.option(f"--{who}-position"),
        ]
    return options


def application_values(function: F) -> F:
    """Give a command the options of an application's values."""
    for option in reversed(_options()):
        function = option(function)
    return function


def given(values: dict[str, Any], found: Application | None = None) -> dict[str, Any]:
    """Return the values that were given, by the names of the record's fields.

    :param found: what there is: a person's telephone can be given alone.
    """
    people = {}
    for who in PEOPLE:
        named = values.pop(who)
        more = {name: values.pop(f"{who}_{name}") for name in ("telephone", "position")}
        known = named or (getattr(found, who) if found is not None else Person())
        person = msgspec.structs.replace(known, **{name: value for name, value in more.items() if value is not None})
        if named or any(value is not None for value in more.values()):
            people[who] = person
    told = {name: value for name, value in values.items() if value is not None and value != ()}
    if "system" in told:
        told["system"] = MailSystem(told["system"])
    return told | people
