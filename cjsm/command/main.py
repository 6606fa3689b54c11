"""The ``cjsm`` command: its groups and what they share."""

from importlib import import_module
from importlib.metadata import version

import rich_click as click

click.rich_click.TEXT_MARKUP = "rich"
click.rich_click.SHOW_ARGUMENTS = True
click.rich_click.STYLE_HELPTEXT = ""


#: Each command and the module it is in, which is imported when it is called: nobody waits for what others need.
_COMMANDS = {
    "init": "initialise",
    "status": "service",
    "check": "check",
    "reload": "service",
    "login": "login",
    "logout": "login",
    "backup": "wholebackup",
    "restore": "wholebackup",
    "demo": "demo",
    "community": "community",
    "application": "application",
    "organisation": "organisation",
    "directory": "directory",
    "user": "user",
    "device": "device",
    "factor": "factor",
    "role": "role",
    "keys": "keys",
    "jobs": "jobs",
    "recovery": "recovery",
    "list": "maillist",
    "shared": "shared",
    "quota": "quota",
    "report": "report",
    "trace": "trace",
    "audit": "audit",
    "queue": "queue",
    "mailbox": "mailbox",
    "connection": "connection",
    "notice": "notice",
    "policy": "policy",
    "completion": "completion",
}


class Commands(click.RichGroup):
    """The commands, imported one by one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """See :class:`click.Group`."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """See :class:`click.Group`."""
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"cjsm.command.{_COMMANDS[cmd_name]}")
        # A group of a name that Python has already has a line under it.
        found: click.Command = getattr(module, cmd_name, None) or getattr(module, f"{cmd_name}_")
        return found


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(version("cjsm-suite"), prog_name="cjsm")
def main() -> None:
    """Run and administer a secure mail community.

    \b
    Try it:            cjsm demo
    A new community:   cjsm init --suffix example.org, then start the service
    See how it is:     cjsm status; cjsm check
    As yourself:       cjsm login olive.marsh@avon, then --as olive.marsh@avon

    Exit codes: 0 done, 1 refused or failed, 2 wrong usage.
    """
