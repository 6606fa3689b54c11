"""``cjsm directory``: the listing that people search, as LDAP shows it."""

import rich_click as click

from cjsm.command import directoryexport, directoryimport, directorysearch, directoryshow


@click.group()
def directory() -> None:
    """Search the directory, show entries, and take them out to files and in from them."""


for command in (directorysearch.search, directoryshow.show, directoryexport.export, directoryimport.import_):
    directory.add_command(command)
