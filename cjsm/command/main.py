"""The ``cjsm`` command: its groups and what they share."""

from importlib.metadata import version

import rich_click as click

from cjsm.command import (
    check,
    connection,
    demo,
    device,
    initialise,
    keys,
    login,
    organisation,
    policy,
    queue,
    recovery,
    role,
    secretkeys,
    service,
    shared,
    trace,
    user,
    userlife,
)

click.rich_click.TEXT_MARKUP = "rich"
click.rich_click.SHOW_ARGUMENTS = True
click.rich_click.STYLE_HELPTEXT = ""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(version("cjsm-suite"), prog_name="cjsm")
def main() -> None:
    """Run and administer a secure mail community.

    \b
    Try it:            cjsm demo
    A new community:   cjsm init --suffix example.org, then start the service
    See how it is:     cjsm status; cjsm check

    Exit codes: 0 done, 1 refused or failed, 2 wrong usage.
    """


for command in (
    initialise.init,
    service.status,
    check.check,
    service.reload,
    login.login,
    login.logout,
    demo.demo,
    organisation.organisation,
    user.user,
    device.device,
    role.role,
    keys.keys,
    recovery.recovery,
    shared.shared,
    trace.trace,
    queue.queue,
    connection.connection,
    policy.policy,
):
    main.add_command(command)

for verb in (userlife.reset_password, userlife.suspend, userlife.resume, userlife.delete, userlife.undelete):
    user.user.add_command(verb)

for verb in (secretkeys.escrow, secretkeys.restore, secretkeys.rotate_secret):
    keys.keys.add_command(verb)
