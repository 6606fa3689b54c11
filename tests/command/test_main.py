"""What all commands share."""

import inspect
from collections.abc import Iterator

import click
import pytest

from cjsm.command.groups import Elsewhere
from cjsm.command.main import main
from tests.command.conftest import Run, ran


def commands(
    group: click.Command = main, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with the words that call it."""
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            _, command, _ = group.resolve_command(context, [name])
            assert command is not None
            yield from commands(command, (*path, name))
    else:
        yield path, group


EVERY = dict(commands())


def elsewhere(group: click.Group = main) -> Iterator[Elsewhere]:
    """Every command that another module has, of a group and of those below it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        announced, (_, command, _) = group.get_command(context, name), group.resolve_command(context, [name])
        if isinstance(announced, Elsewhere):
            yield announced
        if isinstance(command, click.Group):
            yield from elsewhere(command)


@pytest.mark.parametrize("announced", list(elsewhere()), ids=lambda each: f"{each.name}")
def test_lists_say_what_commands_say(announced: Elsewhere) -> None:
    """The line in a list of commands is the first paragraph of the command's own help."""
    command = announced.there()
    paragraph = inspect.cleandoc(command.help or "").split("\n\n")[0]
    assert announced.help == paragraph.replace("\n", " ")
    assert (announced.name, announced.get_short_help_str()) == (command.name, command.get_short_help_str())
    assert not command.hidden
    assert not command.deprecated


def test_what_there_is() -> None:
    """Every verb."""
    assert {" ".join(path) for path in EVERY} == {
        *("init", "demo", "completion", "backup", "restore", "status", "check", "reload", "trace", "login", "logout"),
        *(f"community {verb}" for verb in ("export", "diff", "apply")),
        *(f"application {verb}" for verb in ("add", "edit", "assess", "sponsor", "terms", "approve", "reject", "show")),
        "application list",
        *("organisation add", "organisation list", "organisation show", "organisation move"),
        *(f"organisation {verb}" for verb in ("merge", "change", "suspend", "resume", "delete", "undelete")),
        *(f"directory {verb}" for verb in ("search", "show", "export", "import")),
        *("user add", "user import", "user list", "user show", "user set-password"),
        *("user change", "user rename", "user move", "user alias add", "user alias remove"),
        *("user lock", "user unlock", "user recovery-codes"),
        *("factor add", "factor confirm", "factor remove"),
        *(f"user {verb}" for verb in ("reset-password", "suspend", "resume", "delete", "undelete")),
        *(
            f"list {verb}"
            for verb in ("add", "change", "join", "leave", "appoint", "dismiss", "delete", "show", "list")
        ),
        *(
            f"shared {verb}"
            for verb in ("add", "change", "join", "leave", "open", "show", "list", "delete", "undelete")
        ),
        *("keys show", "keys rotate", "keys rotate-due", "keys escrow", "keys restore", "keys rotate-secret"),
        "keys peppers",
        *(f"recovery {verb}" for verb in ("request", "approve", "refuse", "list", "officers")),
        *("recovery officer add", "recovery officer remove"),
        *("device add", "device list", "device revoke"),
        *("role grant", "role list", "role revoke"),
        *(f"connection {verb}" for verb in ("add", "edit", "list", "show", "live", "suspend", "resume", "dns", "test")),
        *(f"connection domain {verb}" for verb in ("add", "remove", "suspend", "resume", "exception", "show")),
        *(f"connection certificate {verb}" for verb in ("issue", "renew", "revoke", "list", "revocations")),
        *(f"audit {verb}" for verb in ("list", "show", "prove", "verify", "export", "keys", "recover")),
        *(f"queue {verb}" for verb in ("list", "show", "retry", "hold", "release", "remove")),
        *(f"mailbox {verb}" for verb in ("list", "show", "verify", "undelete", "destroy")),
        *(f"mailbox {verb}" for verb in ("backup", "restore", "accept", "import", "export")),
        *("quota show", "quota set"),
        *(f"report {what}" for what in ("inactive", "never", "locked", "without-factor", "near-quota")),
        *("report traffic", "report tls-failures"),
        *("jobs list", "jobs run", "jobs watch"),
        *("policy explain", "policy matrix"),
        *(f"notice {verb}" for verb in ("list", "show", "send", "preview")),
    }


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_help_has_examples(path: tuple[str, ...]) -> None:
    """Each command shows itself in use."""
    assert ran(*path, "--help").exit_code == 0
    assert f"cjsm {' '.join(path)}" in (EVERY[path].help or "")


#: The one makes its own settings, the other needs none and prints a script.
_WITHOUT_SETTINGS = {("demo",), ("completion",)}


@pytest.mark.parametrize("path", [path for path in EVERY if path not in _WITHOUT_SETTINGS], ids=" ".join)
def test_conventions(path: tuple[str, ...]) -> None:
    """--config and --json are everywhere; no password is an argument."""
    names = {name for parameter in EVERY[path].params for name in parameter.opts}
    assert {"--config", "--json"} <= names
    assert not {name for name in names if "password" in name and name != "--password-stdin"}


def test_wrong_usage(cjsm: Run) -> None:
    """Ends with 2."""
    for arguments in (
        ("nonsense",),
        ("user", "list", "--nonsense"),
        ("organisation", "add"),
        ("role", "grant", "a", "b"),
    ):
        assert cjsm(*arguments).exit_code == 2


def test_version() -> None:
    """It says which."""
    assert "0.1.0" in ran("--version").output
