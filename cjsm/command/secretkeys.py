"""``cjsm keys`` verbs for the service's own secrets: put away for the safe, had back, renewed."""

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import rich_click as click

from cjsm.access.peppers import counted
from cjsm.command.context import as_caller, config_option, load, open_suite, open_suite_for_files, wait
from cjsm.command.output import Refused, console, document, json_option, reported, shown, table
from cjsm.community.acts import servicesecrets
from cjsm.instance import NotRunning
from cjsm.suite import Suite, instance
from cjsm.vault import escrow as escrows
from cjsm.vault import secrets

#: What becomes of what older versions made, and what else is to be done.
_AFTERWARDS = {
    "pepper": "secrets come under it as they are used, second factors by themselves; `cjsm keys peppers` counts them",
    "acceptance": "messages accepted from now on are signed with it",
    "queue": "envelopes are sealed to it from now on; the older one opens what waits",
    "community": "public keys are signed with it from now on",
    "ledger": "checkpoints are signed with it from now on: publish its public half",
    "cache": "pseudonyms in logs and traces change; what was traced under the older one is not found any more",
    "dkim-rsa": "publish its record in DNS before you start the service: cjsm connection dns",
    "dkim-ed25519": "publish its record in DNS before you start the service: cjsm connection dns",
}
_LONGEST_LINE = 1_000


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--shares", type=click.IntRange(2, escrows.MOST), default=5, show_default=True, help="To be made.")
@click.option("--needed", type=click.IntRange(2, escrows.MOST), default=3, show_default=True, help="To open it.")
@config_option
@json_option
@reported
def escrow(file: Path, shares: int, needed: int, config: Path, as_json: bool) -> None:
    """Write the service secrets into FILE, sealed, and print the shares of its key, once.

    Give each share, 33 words on paper, to another person, and keep FILE with the backups: FILE alone, or fewer shares
    than needed, open nothing. Without the service secrets all mail is lost. Do it again after `keys rotate-secret`.

    \b
    cjsm keys escrow /root/cjsm-secrets.escrow --shares 5 --needed 3
    """
    suite = open_suite_for_files(config)
    made = escrows.make(escrows.read_files(_directory(suite)), needed=needed, shares=shares)
    digest = hashlib.sha256(made.sealed).hexdigest()
    with as_caller(), file.open("xb") as written:
        os.fchmod(written.fileno(), 0o600)
        written.write(made.sealed)
        written.flush()
        os.fsync(written.fileno())
    by = suite.by()
    wait(
        suite.stores.community.commit(
            by.act_id, lambda view: servicesecrets.escrow(view, by, digest, needed=needed, shares=shares)
        )
    )
    if as_json:
        document({"file": str(file), "sha256": digest, "needed": needed, "shares": made.shares})
        return
    console.print(f"{file} is written; {needed} of these {shares} shares open it (shown once):")
    for number, share in enumerate(made.shares, 1):
        console.print(f"\n[bold]share {number} of {shares}[/]\n{share}")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@config_option
@json_option
@reported
def restore(file: Path, directory: Path, config: Path, as_json: bool) -> None:
    """Open FILE with shares from standard input, one a line, and write the service secrets into the new DIRECTORY.

    Needs no community: it is for a server that is lost. Type the shares at the terminal, and an empty line at the end.

    \b
    cjsm keys restore cjsm-secrets.escrow /etc/cjsm/secrets
    """
    if sys.stdin.isatty():
        console.print("type the shares, one a line, then an empty line")
    shares = []
    while line := sys.stdin.readline(_LONGEST_LINE).strip():
        shares.append(line)
    if not shares:
        raise Refused("there were no shares", "send one a line on standard input")
    files = escrows.open_escrow(file.read_bytes(), shares)
    escrows.write_files(directory, files)
    told = {"directory": str(directory), "files": sorted(files)}
    if as_json:
        document(told)
    else:
        console.print(f"{len(files)} files are in {directory}; make them the service's: chown --recursive")


@click.command("peppers")
@config_option
@json_option
@reported
def peppers(config: Path, as_json: bool) -> None:
    """Count what depends on each version of the pepper: when an older one is needed by nothing, it may go.

    Second factors come under the newest by themselves, a password or device password when somebody signs in with it,
    recovery codes when their owner has new ones printed (`cjsm user recovery-codes`). Reads every account.

    \b
    cjsm keys peppers
    cjsm keys peppers --json
    """
    suite = open_suite(config)
    found = counted(suite.stores.community, suite.stores.keys)
    held = suite.secrets.peppers
    told = [
        {
            "pepper": number,
            "newest": number == held.number,
            "held": number in held.numbers,
            "needed_by": dict(sorted(found.get(number, {}).items())),
        }
        for number in sorted({*held.numbers, *found})
    ]
    if as_json:
        document(told)
        return
    rows = [[f"pepper.{each['pepper']}", shown(each["newest"]), _needed(each)] for each in told]
    table(rows, "secret", "newest", "needed by")


def _needed(told: dict[str, Any]) -> str:
    needed = "\n".join(f"{count:,} {kind}" for kind, count in told["needed_by"].items())
    if not told["held"]:
        return f"MISSING\n{needed}"
    return needed or ("-" if told["newest"] else "nothing: it may go")


@click.command("rotate-secret")
@click.argument("name", type=click.Choice(secrets.EVERY))
@config_option
@json_option
@reported
def rotate_secret(name: str, config: Path, as_json: bool) -> None:
    """Renew the service secret NAME. The service must be stopped. Older versions stay, for what they made.

    \b
    cjsm keys rotate-secret community
    """
    settings = load(config)
    try:
        instance(settings).status()
    except NotRunning:
        pass
    else:
        raise Refused("the service runs, and would not know the new secret", "stop it, rotate, start it again")
    if os.environ.get("CREDENTIALS_DIRECTORY"):
        raise Refused(
            "the secrets are credentials of the service manager, which nothing here can add to",
            "rotate in the secrets directory, without CREDENTIALS_DIRECTORY, then encrypt the new files as credentials",
        )
    suite = open_suite_for_files(config)
    by = suite.by()
    wait(suite.stores.community.commit(by.act_id, lambda view: servicesecrets.rotate(view, by, name)))
    number = secrets.rotate(Path(settings.store.secrets_directory), name)
    told: dict[str, Any] = {"secret": name, "number": number, "afterwards": _AFTERWARDS[name]}
    if as_json:
        document(told)
    else:
        console.print(f"{name}.{number} is made: {told['afterwards']}. Put it into the safe: cjsm keys escrow")


def _directory(suite: Suite) -> Path:
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    return Path(credentials) if credentials else Path(suite.settings.store.secrets_directory)
