"""``cjsm directory``: the listing that people search, as LDAP shows it."""

import rich_click as click

from cjsm.command.groups import Group


@click.group(cls=Group)
def directory() -> None:
    """Search the directory, show entries, and take them out to files and in from them."""


directory.elsewhere(
    "directoryexport",
    export=(
        "Write the directory to FILE, or to standard output: CSV with the 15 columns, LDIF (RFC 2849), or vCard "
        "(4.0, and 3.0 as vcard3)."
    ),
)
directory.elsewhere(
    "directoryimport",
    import_="Update people's details from FILE, and add members whose mail is kept at their organisation.",
)
directory.elsewhere(
    "directorysearch",
    search=(
        "Search the directory: entries of which every condition holds, and every word of TEXT is in name, address, "
        "organisation, town or telephone."
    ),
)
directory.elsewhere(
    "directoryshow",
    show=(
        "Show the entry NAME with all that may be read of it: a user ID, an address, an organisation's path, or a "
        "distinguished name as LDAP has them."
    ),
)
