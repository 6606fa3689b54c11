"""How a command takes secrets: by prompt or from standard input, never as an argument."""

import sys
import warnings
from getpass import GetPassWarning

import click

from cjsm.command.output import Refused
from cjsm.community.records import Account
from cjsm.vault import device

_LONGEST = 4096


class NoTerminal(Refused):
    """A secret would have to be typed, and there is nowhere to."""


_FROM_STDIN = "cjsm.password-stdin"


def _remember(context: click.Context, parameter: click.Parameter, value: bool) -> bool:
    context.meta[_FROM_STDIN] = value
    return value


password_stdin = click.option(
    "--password-stdin",
    is_flag=True,
    expose_value=False,
    callback=_remember,
    help="Read passwords from standard input, one a line, instead of asking.",
)


def from_stdin() -> bool:
    """Whether the command was called with ``--password-stdin``."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(_FROM_STDIN))


def ask(*prompts: str) -> list[bytes]:
    """Return one secret for each prompt.

    :raises Refused: when standard input ends early, or there is no terminal to ask at.
    """
    take = _line if from_stdin() else _prompt
    return [take(prompt) for prompt in prompts]


def ask_code(account: Account, secret: bytes) -> bytes | None:
    """Return a code of the second factor, where *account* has one and *secret* is its person's own password."""
    if not account.factor_since or device.parse(secret) is not None:
        return None
    return ask("Code or recovery code")[0]


def _line(prompt: str) -> bytes:
    line = sys.stdin.buffer.readline(_LONGEST + 2)
    secret = line.rstrip(b"\r\n")
    if not secret:
        raise Refused(f"standard input has no line for: {prompt}", "send one password a line")
    return secret


def _prompt(prompt: str) -> bytes:
    confirm = prompt.lower().startswith("new")
    with warnings.catch_warnings():
        # Where it cannot be hidden, it is not typed.
        warnings.simplefilter("error", GetPassWarning)
        try:
            typed: str = click.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True)
        except GetPassWarning as warning:
            raise NoTerminal("there is no terminal to type a password at", "send it with --password-stdin") from warning
    return typed.encode("utf-8")
