"""``cjsm community``: the whole of it as a file that people review, compare and apply."""

import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import rich_click as click

from cjsm.command import acting, communityfile, communityshown
from cjsm.command.context import open_suite_for_files, wait
from cjsm.command.output import Refused, console, document, progressing, watched
from cjsm.command.quota import limits
from cjsm.community.authority import Action, within
from cjsm.community.desired import reading, state
from cjsm.community.desired.differences import Difference, ordered
from cjsm.community.desired.seeing import Seen
from cjsm.community.desired.tables import Desired
from cjsm.community.view import Change, View
from cjsm.suite import Suite

_DAY = 86_400
_FILE = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
_PRUNE = click.option(
    "--prune", is_flag=True, help="Remove what the file does not have, of kinds of which it has something."
)


@click.group()
def community() -> None:
    """The whole community as a file: organisations, connections, domains, lists, shared mailboxes, roles.

    \b
    Begin:  cjsm community export community.toml
    Then:   change the file, let somebody review it, keep it under version control
            cjsm community diff community.toml
            cjsm community apply community.toml

    People are not in the file, nor are secrets, certificates and mail. Policies of credentials are settings.
    """


@community.command("export")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@acting.verb
def export(file: Path | None, config: Path, as_json: bool) -> None:
    """Write the community to FILE, or to the standard output; with --as what is that user's to see.

    \b
    cjsm community export community.toml
    cjsm community export avon.toml --as olive.marsh@avon
    cjsm community export | less
    """
    suite = open_suite_for_files(config)
    who = acting.actor(suite)

    def look(view: View) -> tuple[Desired, list[str]]:
        found = state.export(view, who)
        parts = communityfile.text(view, found)
        return found, list(watched(parts, "things written"))

    found, parts = suite.stores.community.read_now(look)
    if file is not None:
        communityfile.write(file, "".join(parts))
    if as_json and file is None:
        document(found)
    elif as_json:
        document(_counted(found) | {"file": str(file)})
    elif file is None:
        click.echo("".join(parts), nl=False)
    else:
        told = ", ".join(f"{many:,} {kind}" for kind, many in _counted(found).items())
        console.print(f"written to {file}: {told}", markup=False)


def _counted(found: Desired) -> dict[str, Any]:
    named = {"organisation": "organisations", "connection": "connections", "domain": "domains", "list": "lists",
             "shared": "shared mailboxes", "role": "people with roles"}  # fmt: skip
    return {words: len(getattr(found, kind)) for kind, words in named.items()}


@community.command("diff")
@_FILE
@_PRUNE
@acting.verb
def diff(file: Path, prune: bool, config: Path, as_json: bool) -> None:
    """Say what `community apply` would do with FILE, in words. Nothing is changed.

    \b
    cjsm community diff community.toml
    cjsm community diff community.toml --json
    """
    suite = open_suite_for_files(config)
    found = suite.stores.community.read_now(_Applied(suite, file, prune).differences)
    if as_json:
        document(communityshown.told(found))
    else:
        communityshown.show(found)


@community.command("apply")
@_FILE
@_PRUNE
@click.option("--dry-run", is_flag=True, help="Try every act, and leave everything as it is.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--reason", default="", help="Why; the ledger keeps it. Suspending and deleting need one from the list.")
@acting.verb
def apply(file: Path, prune: bool, config: Path, as_json: bool, **values: Any) -> None:
    """Make the community what FILE says: shows what differs, asks, then does all of it in one commit, or nothing.

    Whoever acts must be allowed each act. Done twice, the second time there is nothing to do. What a file cannot do,
    such as who reads a shared mailbox, is told with the command that does it. What the file does not mention stays,
    whatever is missing in it: things go only if they are named under [removed], or with --prune.

    \b
    cjsm community apply community.toml
    cjsm community apply community.toml --dry-run
    cjsm community apply avon.toml --as olive.marsh@avon --yes --reason requested
    """
    suite = open_suite_for_files(config)
    applied = _Applied(suite, file, prune)
    found = suite.stores.community.read_now(applied.differences)
    steps = len(ordered(found))
    if not as_json:
        communityshown.show(found)
    if steps and not values["dry_run"] and not values["yes"]:
        _ask()
    done = applied.carry_out(found, values["reason"], keep=not values["dry_run"]) if steps else 0
    if as_json:
        document({"acts": done, "kept": not values["dry_run"], "differences": communityshown.told(found)})
    elif values["dry_run"] and done:
        console.print(f"{_acts(done)} could be done; nothing was changed")
    else:
        console.print(f"{_acts(done)} done" if done else "nothing to do")


def _acts(many: int) -> str:
    return "1 act" if many == 1 else f"{many:,} acts"


def _ask() -> None:
    if not _at_terminal():
        raise Refused("nobody can be asked here", "look at `cjsm community diff`, then give --yes")
    if not click.confirm("Do this?", err=True):
        raise Refused("nothing was done")


def _at_terminal() -> bool:
    return sys.stdin.isatty()


class _Applied:
    """A file, compared with the community and carried out by whoever acts."""

    def __init__(self, suite: Suite, file: Path, prune: bool) -> None:
        self._suite = suite
        self._prune = prune
        self._actor = acting.actor(suite)
        # Who may do nothing of it hears so before the file is read.
        suite.stores.community.read_now(lambda view: within(view, self._actor, Action.SEE_ORGANISATIONS))
        self._read = communityfile.read(file, suite.settings.community.file_octets)
        self._desired = suite.stores.community.read_now(partial(reading.read, document=self._read.document))

    def _seen(self, view: View) -> Seen:
        return Seen(
            view,
            self._actor,
            self._desired,
            os.urandom,
            prune=self._prune,
            reserved_for=self._suite.settings.keys.address_reserved * _DAY,
            quotas=limits(self._suite),
        )

    def differences(self, view: View) -> list[Difference]:
        return state.compare(self._seen(view))

    def carry_out(self, shown: list[Difference], reason: str, *, keep: bool) -> int:
        """Do what was shown, all of it in one commit; return how many acts there were."""
        by = acting.by(self._suite, reason)
        with progressing("acts", len(ordered(shown)), octets=False) as advance:

            def decide(view: View) -> Iterator[Callable[[View], Change]]:
                acts = state.acts(self._seen(view), by, shown, digest=self._read.digest, entropy=os.urandom)
                for act in acts:
                    yield act
                    advance(1)

            # The first one says that there are others.
            return max(0, wait(self._suite.stores.community.commit_each(by.act_id, decide, keep=keep)) - 1)
