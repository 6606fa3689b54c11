"""What the directory lists of people: their profiles, changed one by one or many in one transaction; and taken out."""

from collections.abc import Mapping, Sequence

import msgspec

from cjsm.community.acts.acting import By, changed, check_not_deleted, entry_of, existing
from cjsm.community.authority import Action, may, require
from cjsm.community.errors import BadValue
from cjsm.community.identifiers import AccountId, OrganisationId
from cjsm.community.records import Account, Profile
from cjsm.community.view import Change, View

#: The most characters of each field. What is not named here is not changed by these acts.
LONGEST: Mapping[str, int] = {
    "first_name": 200,
    "last_name": 200,
    "user_type": 200,
    "address1": 200,
    "address2": 200,
    "town": 200,
    "postcode": 40,
    "telephone": 60,
    "mobile": 60,
    "description": 1_000,
    "business_type": 200,
    "area": 200,
}
#: Fields that nobody is without.
NEEDED = ("first_name", "last_name")


def checked(field: str, value: str) -> str:
    """Return *value* without outer space.

    :raises BadValue: when it cannot be in *field*: too long, or with characters that nobody sees, such as ends of
        lines and marks that turn the direction of what follows.
    """
    told = value.strip()
    if not told and field in NEEDED:
        raise BadValue("this may not be empty")
    if len(told) > LONGEST[field]:
        raise BadValue(f"this has {len(told):,} characters, {LONGEST[field]:,} at most")
    unseen = next((each for each in told if not each.isprintable()), None)
    if unseen is not None:
        raise BadValue(f"this has the character U+{ord(unseen):04X}, which is not printed")
    return told


def with_values(profile: Profile, values: Mapping[str, str]) -> Profile:
    """Return *profile* with *values* by field.

    :raises BadValue: see :func:`checked`.
    """
    return msgspec.structs.replace(profile, **{field: checked(field, value) for field, value in values.items()})


def change(view: View, by: By, account: AccountId, values: Mapping[str, str]) -> Change:
    """Change fields of somebody's profile; a change without an entry where they have these values already.

    User ID and addresses stay as they are. The ledger has the fields' names, never what stood or stands in them.
    """
    found = existing(view, account)
    permission = require(may(view, by.actor, Action.MANAGE_USERS, found.organisation, account=account))
    check_not_deleted(found)
    profile = with_values(found.profile, values)
    fields = different(found, profile)
    if not fields:
        return Change()
    entry = entry_of(view, by, "user-edit", "account", account, permission, fields=" ".join(fields))
    return Change(put=(changed(found, profile=profile, profile_since=view.moment),), entry=entry)


def different(account: Account, profile: Profile) -> list[str]:
    """Return the names of the fields in which *profile* is another than that of *account*."""
    return [field for field in LONGEST if getattr(account.profile, field) != getattr(profile, field)]


def together(changes: Sequence[Change]) -> Change:
    """Return several acts as one change: all are done, each with its own entry, or none is."""
    entries = [entry for each in changes for entry in (each.entry, *each.further) if entry is not None]
    return Change(
        put=tuple(record for each in changes for record in each.put),
        removed=tuple(record for each in changes for record in each.removed),
        entry=entries[0] if entries else None,
        further=tuple(entries[1:]),
        editions=tuple(edition for each in changes for edition in each.editions),
        forgotten=tuple(person for each in changes for person in each.forgotten),
    )


def take_out(view: View, by: By, organisation: OrganisationId | None, form: str) -> Change:
    """Note that people are exported: of an organisation and below, or (None) of every place that the actor looks after.

    :raises NotAllowed: to whoever does not look after people there.
    """
    changes = []
    for place in [organisation] if organisation is not None else looked_after(view, by):
        permission = require(may(view, by.actor, Action.FIND_USERS, place))
        kind = "organisation" if place is not None else "community"
        changes.append(Change(entry=entry_of(view, by, "directory-export", kind, place or b"", permission, form=form)))
    return together(changes)


def looked_after(view: View, by: By) -> list[OrganisationId | None]:
    """Return the places where a role of the actor's finds users; the whole community (None) where there is none."""
    if by.actor is None:
        return [None]
    places = dict.fromkeys(held.organisation for held in view.roles_of(by.actor))
    found = [place for place in places if may(view, by.actor, Action.FIND_USERS, place).allowed]
    return [None] if None in found or not found else found
