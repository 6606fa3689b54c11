"""``cjsm backup`` and ``cjsm restore``: the whole service while it runs, and back on a machine that has nothing yet."""

import os
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import rich_click as click

from cjsm import configuration
from cjsm.access.destruction import Destruction
from cjsm.command import acting, mailboxbackup, mailboxrestore
from cjsm.command.context import as_caller, config_option, open_suite_for_files, wait
from cjsm.command.output import Refused, json_option, reported, watched, when
from cjsm.community.acts import wholebackup as acts
from cjsm.community.acts.acting import check_text
from cjsm.community.identifiers import LENGTH, JobId
from cjsm.community.records import Job
from cjsm.instance import AlreadyRunning, Instance, NotRunning
from cjsm.ledger import tiles
from cjsm.store.backup import Backup, sync_directory
from cjsm.store.interfaces import ICopied
from cjsm.store.private import make_private
from cjsm.suite import Suite
from cjsm.vault import secrets

#: In the order in which they are written. Keys come last: whatever was sealed to them before can be opened then.
_STORES = ("trace.mdb", "community.mdb", "keys.mdb")
#: In the order in which they are put back: without the community there is none, however it ended.
_BACK = ("keys.mdb", "trace.mdb", "community.mdb")
#: The ledger's signed checkpoint, where there is one: its tree is made anew of the entries, and has to be what was
#: signed.
_SIGNED = "ledger.checkpoint"


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@acting.verb
def backup(directory: Path, config: Path, as_json: bool) -> None:
    """Back the whole service up into a new DIRECTORY, beside the running service.

    Every mailbox as it is at one moment, the message trace, the community with its ledger, and the keys, last. All mail
    in it is ciphertext; what waits in the spool is not in it, and neither are the service's secrets and settings: keep
    those apart (`cjsm keys escrow`). Without them nobody reads anything of it. Run again after it was interrupted, it
    goes on where it ended.

    \b
    cjsm backup /backup/2026-01-31
    """
    suite = open_suite_for_files(config)
    stores = suite.stores
    made = Backup(directory, as_caller)
    acting.act(suite, acts.keep)
    made.create(suite.settings.community.suffix, when(int(time.time())) or "")
    before = len(made.done)
    problems = mailboxbackup.every_mailbox(suite, made)
    note = stores.ledger.read(tiles.CHECKPOINT)
    if note is not None:
        # Before the community: that has all entries that this is of.
        made.copy(_SIGNED, lambda descriptor: os.write(descriptor, note))
    every = zip(_STORES, (stores.trace, stores.community, stores.keys), strict=True)
    for name, store in watched(every, "stores backed up"):
        made.copy(name, partial(_copy, store))
    made.finish(when(int(time.time())) or "")
    mailboxbackup.report(made, directory, before, problems, as_json=as_json)


def _copy(store: ICopied, descriptor: int) -> None:
    wait(store.copy(descriptor))


@click.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--reason", required=True, help="Why; the ledger keeps it.")
@config_option
@json_option
@reported
def restore(directory: Path, reason: str, config: Path, as_json: bool) -> None:
    """Put the whole service back from DIRECTORY, which `cjsm backup` made, into a data directory that has nothing yet.

    Settings and service secrets have to be in place, the service must not run. Stores are checked against what was
    written, each mailbox is restored and verified, and who was destroyed since is destroyed again. The service starts
    only if the ledger is the one that was signed. Interrupted, it is run again with `cjsm mailbox restore --all`, which
    goes on with the mailboxes.

    \b
    cjsm restore /backup/2026-01-31 --reason "new machine"
    """
    said = check_text(reason, "the reason")
    made = _opened(directory, config)
    suite = open_suite_for_files(config)
    acting.act(suite, lambda view, by: acts.restored(view, by, made.begun), said)
    done = mailboxrestore.Restoring(suite, said, replace=False).all(directory)
    _destroy_again(suite)
    mailboxrestore.report(done, as_json=as_json)


def _opened(directory: Path, config: Path) -> Backup:
    """Put the stores of a backup in their place; return the backup."""
    settings = configuration.load(config)
    data = Path(settings.store.data_directory)
    if (data / "community.mdb").exists():
        raise Refused(f"there is a community in {data}", "move it away, or see `cjsm mailbox restore --help`")
    secrets.load(Path(settings.store.secrets_directory))
    made = Backup(directory, as_caller)
    made.read()
    made.check_suffix(settings.community.suffix)
    if not made.finished or not made.stores.keys() >= set(_STORES):
        raise Refused("this is no finished backup of a whole service", "finish it, or name another one")
    make_private(data / "run")
    with suppress(NotRunning):
        raise AlreadyRunning(Instance(data / "run").pid())
    for name in watched(_BACK, "stores put back"):
        (data / f"{name}.part").unlink(missing_ok=True)
        if (data / name).exists():
            # An earlier try ended before the community was there.
            (data / name).unlink()
        made.put_back(name, data)
    _put_checkpoint_back(made, data / "ledger")
    _give_to_owner(data)
    return made


def _put_checkpoint_back(made: Backup, directory: Path) -> None:
    """Put the ledger's checkpoint in its place, unless a later one survived there: what that is of is not lost then."""
    if _SIGNED not in made.stores or (directory / tiles.CHECKPOINT).exists():
        return
    directory.mkdir(mode=0o700, exist_ok=True)
    (directory / _SIGNED).unlink(missing_ok=True)
    made.put_back(_SIGNED, directory)
    (directory / _SIGNED).rename(directory / tiles.CHECKPOINT)
    sync_directory(directory)


def _give_to_owner(data: Path) -> None:
    """What root puts into somebody's directory is theirs."""
    owner = data.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    ledger = (path for path in (data / "ledger", data / "ledger" / tiles.CHECKPOINT) if path.exists())
    for path in (data / "run", *(data / name for name in _STORES), *ledger):
        os.chown(path, owner.st_uid, owner.st_gid)


def _destroy_again(suite: Suite) -> None:
    """Go through the ledger for who was destroyed: their keys may be in the backup still."""
    stores = suite.stores
    job = Destruction(
        suite.settings.keys,
        community=stores.community,
        keys=stores.keys,
        mail=stores.mail,
        activity=stores.activity,
        clock=time.time,
        entropy=os.urandom,
    )
    wait(job.run(Job(id=JobId(bytes(LENGTH)), kind=job.name, due=0)))
