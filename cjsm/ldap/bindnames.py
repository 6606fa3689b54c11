"""The names that people sign in with and are called by: distinguished names, user IDs, addresses."""

from cjsm.community.identifiers import AccountId
from cjsm.directory import names
from cjsm.directory.following import Directory, NotReady


def login_name(name: str, directory: Directory) -> str:
    """Return the user ID behind a bind *name* that is a distinguished name; other names stay as they are.

    A distinguished name that is nobody's becomes a name that cannot be anybody's, so that it is refused in the same
    words and time.

    :raises NotReady: before there is a directory.
    """
    try:
        parsed = names.parse(name) if "=" in name else ()
    except names.BadName:
        return name
    if not parsed:
        return name
    return directory.catalogue.user_id(parsed) or f"\0{name}"


def authorization(account: AccountId, name: str, directory: Directory) -> str:
    """Return how "Who am I?" names *account*, which signed in as *name* (RFC 4532)."""
    try:
        catalogue = directory.catalogue
    except NotReady:
        return f"u:{name}"
    position = catalogue.position_of(account)
    return f"dn:{catalogue.dn(position)}" if position is not None else f"u:{name}"
