"""What is known of people beside what everybody finds in the directory; changed with it, in one act."""

from collections.abc import Mapping

import msgspec

from cjsm.community.acts import profiles
from cjsm.community.acts.acting import By, changed, check_not_deleted, entry_of, existing
from cjsm.community.address import Address
from cjsm.community.authority import Action, may, require
from cjsm.community.errors import BadValue
from cjsm.community.identifiers import AccountId
from cjsm.community.view import Change, View


def checked_email(view: View, value: str) -> str:
    """Return an ordinary, non-secure address in its one form.

    :raises BadValue: when it is none, or an address of this community.
    """
    address = Address.parse(value.strip(), international=True)
    if address.has_suffix(view.suffix):
        raise BadValue("this is an address of this community", "give the ordinary one, outside of it")
    return str(address)


def change(
    view: View,
    by: By,
    account: AccountId,
    values: Mapping[str, str],
    *,
    ordinary_email: str | None = None,
    ex_directory: bool | None = None,
) -> Change:
    """Change what is given of somebody; a change without an entry where it is so already.

    :param values: of the profile's fields that :data:`~cjsm.community.acts.profiles.LONGEST` names.
    :param ordinary_email: the non-secure address; empty for none.
    """
    found = existing(view, account)
    permission = require(may(view, by.actor, Action.MANAGE_USERS, found.organisation, account=account))
    check_not_deleted(found)
    profile = profiles.with_values(found.profile, values)
    if ordinary_email is not None:
        profile = msgspec.structs.replace(
            profile, ordinary_email=checked_email(view, ordinary_email) if ordinary_email else ""
        )
    hidden = found.ex_directory if ex_directory is None else ex_directory
    fields = profiles.different(found, profile)
    fields += ["ordinary_email"] if profile.ordinary_email != found.profile.ordinary_email else []
    fields += ["ex_directory"] if hidden != found.ex_directory else []
    if not fields:
        return Change()
    entry = entry_of(view, by, "user-edit", "account", account, permission, fields=" ".join(fields))
    made = changed(found, profile=profile, ex_directory=hidden, profile_since=view.moment)
    return Change(put=(made,), entry=entry)
