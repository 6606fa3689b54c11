"""Entries of the directory as commands tell them, and how they are found by what people call them."""

from collections.abc import Sequence
from typing import Any

from cjsm.command import acting
from cjsm.community import finding
from cjsm.community.errors import NotFound
from cjsm.community.identifiers import OrganisationId
from cjsm.directory import schema
from cjsm.directory.asking import KINDS
from cjsm.directory.evaluation import compiled
from cjsm.directory.excerpt import Chain, Excerpt, Found
from cjsm.suite import Suite

#: What is told of an entry, and the attribute it is. What has several values is told as a list.
_TOLD = {
    "display_name": "displayName",
    "first_name": "givenName",
    "last_name": "sn",
    "user_id": "uid",
    "address": "mail",
    "user_type": "employeeType",
    "street": "street",
    "town": "l",
    "postcode": "postalCode",
    "telephone": "telephoneNumber",
    "mobile": "mobile",
    "description": "description",
    "business_type": "businessCategory",
    "area": "cjsmArea",
    "abbreviation": "cjsmAbbreviation",
    "members": "rfc822MailMember",
    "status": "cjsmAccountStatus",
    "locked": "cjsmLocked",
    "state": "cjsmOrganisationState",
    "created": "createTimestamp",
    "changed": "modifyTimestamp",
}
_SEVERAL = frozenset(("members",))


def excerpt(suite: Suite) -> Excerpt:
    """Return what whoever acts finds of the directory."""
    return Excerpt(suite.stores.community, schema.load(), acting.actor(suite))


def chains(suite: Suite, found: Excerpt, path: str | None) -> list[Chain]:
    """Return the organisations at and below *path*, or all; one that is not to be seen is not there.

    :raises NotFound: in the same words for both.
    """
    if path is None:
        return found.chains()
    missing = NotFound(
        f"there is no organisation {path!r}, or not for you", "see `cjsm directory search --kind organisation`"
    )
    try:
        place: OrganisationId = suite.stores.community.read_now(lambda view: finding.organisation_of(view, path).id)
    except NotFound:
        raise missing from None
    below = found.chains(place)
    if not below or found.organisation(below[0]) is None:
        raise missing
    return below


def kind(found: Found) -> str:
    """Return what an entry is: one of :data:`~cjsm.directory.asking.KINDS`."""
    return next((name for name, filter_ in KINDS.items() if compiled(filter_, found.reading)(found.position)), "entry")


def told(found: Found) -> dict[str, Any]:
    """Return what the reader may read of an entry; None where there is nothing, or nothing for this reader."""
    reading = found.reading
    document: dict[str, Any] = {
        "kind": kind(found),
        "name": _name(found),
        "organisation": "/".join(organisation.slug for organisation in found.chain),
        "dn": reading.dn(found.position),
    }
    for label, name in _TOLD.items():
        values = _values(found, name)
        document[label] = _value(label, values)
    return document


def _name(found: Found) -> str:
    if kind(found) == "organisation":
        return found.chain[-1].name
    return next(iter(_values(found, "cn")), "")


def _values(found: Found, name: str) -> Sequence[str]:
    attribute = found.reading.schema.attribute(name)
    return found.reading.values(found.position, attribute) if attribute is not None else ()


def _value(label: str, values: Sequence[str]) -> Any:
    if label in _SEVERAL:
        return list(values) or None
    if not values:
        return None
    value = values[-1]
    if label in ("created", "changed"):
        return f"{value[:4]}-{value[4:6]}-{value[6:8]}T{value[8:10]}:{value[10:12]}:{value[12:14]}+00:00"
    return {"TRUE": True, "FALSE": False}[value] if label == "locked" else value
