"""``cjsm completion``: lets a shell complete verbs and options."""

from typing import cast

import rich_click as click
from click.shell_completion import get_completion_class

from cjsm.command.output import Refused, reported

_SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
@reported
def completion(shell: str) -> None:
    """Print what makes SHELL complete the verbs and options of `cjsm`; for good, put it where the shell reads it.

    \b
    eval "$(cjsm completion bash)"
    cjsm completion bash > /etc/bash_completion.d/cjsm
    cjsm completion fish > ~/.config/fish/completions/cjsm.fish
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise Refused(f"{shell} cannot be helped", f"choose one of {', '.join(_SHELLS)}")
    from cjsm.command.main import main

    made = kind(cast("click.Command", main), {}, "cjsm", "_CJSM_COMPLETE")
    # Not `source`, which runs the shell to look at its version.
    click.echo(made.source_template % made.source_vars())
