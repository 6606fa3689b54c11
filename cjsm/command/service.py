"""``cjsm status`` and ``cjsm reload``: the service that runs, or does not."""

import os
import time
from pathlib import Path
from typing import Any

import rich_click as click

from cjsm.command.context import config_option, load, open_suite, wait
from cjsm.command.jobs import jobs_told, show_jobs
from cjsm.command.output import console, document, json_option, reported, shown, table, when
from cjsm.command.queueshown import Shown
from cjsm.configuration import Settings
from cjsm.instance import NotRunning
from cjsm.suite import Suite, instance
from cjsm.vault import certificates
from cjsm.vault.errors import MissingSecret
from cjsm.wire.tls import ServerTls

_DAY = 86_400
_MIB = 1024 * 1024


@click.command()
@config_option
@json_option
@reported
def status(config: Path, as_json: bool) -> None:
    """Show the service: sessions, queues, disk, certificate, jobs.

    \b
    cjsm status
    cjsm status --json
    """
    suite = open_suite(config)
    told = {
        "service": _service(suite),
        "queue": _queue(suite),
        "outgoing": Shown(suite).outgoing(wait(suite.stores.spool.outgoing.summary())),
        "disk": _disk(suite.settings),
        "certificate": _certificate(suite.settings),
        "jobs": jobs_told(suite),
    }
    if as_json:
        document(told)
        return
    rows = [
        (f"{part} {name}".replace("_", " "), shown(value))
        for part, values in told.items()
        if isinstance(values, dict)
        for name, value in values.items()
    ]
    table(rows, "what", "now")
    show_jobs(jobs_told(suite))


def _service(suite: Suite) -> dict[str, Any]:
    try:
        running = suite.instance.status()
    except NotRunning:
        return {"running": False}
    return {
        "running": True,
        "process": running.pid,
        "since": when(running.started),
        "connected": running.connected,
        "signed_in": running.signed_in,
        "doors": [f"{door.name} {door.listening}" for door in running.doors],
    }


def _queue(suite: Suite) -> dict[str, Any]:
    waiting = suite.stores.spool.status()
    age = int(time.time()) - waiting.oldest if waiting.oldest else 0
    return {
        "messages": waiting.entries,
        "octets": waiting.octets,
        "oldest_seconds": age,
        "damaged": waiting.damaged,
    }


def _disk(settings: Settings) -> dict[str, Any]:
    told = os.statvfs(settings.store.data_directory)
    free = told.f_bavail * told.f_frsize
    return {"free_mib": free // _MIB, "floor_mib": settings.store.disk_floor // _MIB}


def _certificate(settings: Settings) -> dict[str, Any]:
    try:
        found = certificates.dates(Path(settings.tls.certificate))
    except MissingSecret as error:
        return {"problem": str(error)}
    return {
        "names": list(found.names),
        "ends": when(found.not_after),
        "days_left": int(found.not_after - time.time()) // _DAY,
    }


@click.command()
@config_option
@json_option
@reported
def reload(config: Path, as_json: bool) -> None:
    """Make the running service read certificates and settings again. No connection is dropped.

    Listening addresses and everything under \\[store] need a restart.

    \b
    cjsm reload
    """
    settings = load(config)
    # What the service would refuse is said here, and not only in its log.
    ServerTls(Path(settings.tls.certificate), Path(settings.tls.key))
    pid = instance(settings).reload()
    if as_json:
        document({"process": pid})
    else:
        console.print(f"process {pid} reads certificates and settings again; its log says when it has")
