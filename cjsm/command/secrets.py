"""How a command takes secrets: by prompt or from standard input, never as an argument."""

import sys
import warnings
from getpass import GetPassWarning

import click

from cjsm.command.output import Refused
from cjsm.community.records import Account
from cjsm.vault import device

_LONGEST = 4096

password_stdin = click.option(
    "--password-stdin", is_flag=True, help="Read passwords from standard input, one a line, instead of asking."
)


def ask(*prompts: str, from_stdin: bool) -> list[bytes]:
    """Return one secret for each prompt.

    :raises Refused: when standard input ends early, or there is no terminal to ask at.
    """
    return [_line(prompt) if from_stdin else _prompt(prompt) for prompt in prompts]


def ask_code(account: Account, secret: bytes, *, from_stdin: bool) -> bytes | None:
    """Return a code of the second factor, where *account* has one and *secret* is its person's own password."""
    if not account.factor_since or device.parse(secret) is not None:
        return None
    return ask("Code or recovery code", from_stdin=from_stdin)[0]


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
            raise Refused("there is no terminal to type a password at", "send it with --password-stdin") from warning
    return typed.encode("utf-8")
