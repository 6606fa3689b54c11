"""What ``cjsm check`` says of connections: certificates that end, and live ones that nothing proves any more."""

import time
from collections.abc import Iterator
from pathlib import Path

from cjsm.command.context import wait
from cjsm.command.findings import Finding
from cjsm.community import finding
from cjsm.community.acts.connections import in_force, missing
from cjsm.community.records import Connection, ConnectionState
from cjsm.community.view import View
from cjsm.configuration import Settings
from cjsm.suite import Suite
from cjsm.vault import certificates
from cjsm.vault.errors import MissingSecret

_DAY = 86_400
#: Days before an end: from the first on it is told, from the second on it is urgent, from the last on a problem.
_TOLD, _URGENT, _PROBLEM = 60, 30, 7


def authority(settings: Settings) -> Finding:
    """Look at the community's own authority: with it ends everything that it issued."""
    path = Path(settings.tls.authority)
    if not path.exists():
        return Finding("authority")
    try:
        found = certificates.dates(path)
    except MissingSecret as error:
        return Finding("authority", str(error), error.cure)
    return ending("authority", "the community's authority", found.not_after, time.time(), "make a new one, give it out")


def findings(settings: Settings) -> Iterator[Finding]:
    """Look at every connection; one line says that all are well."""
    suite = Suite(settings)
    try:
        found = suite.stores.community.read_now(lambda view: list(_findings(view)))
    finally:
        wait(suite.stores.close())
    yield from found or [Finding("connections")]


def ending(what: str, whose: str, end: int, moment: float, cure: str) -> Finding:
    """Return what there is to say of something that ends at *end*."""
    days = int(end - moment) // _DAY
    if end <= moment:
        return Finding(what, f"{whose} has ended", cure)
    if days >= _TOLD:
        return Finding(what)
    urgent = f"{cure} now" if days < _URGENT else f"{cure} within a month"
    return Finding(what, f"{whose} ends in {days} days", urgent, warning=days >= _PROBLEM)


def _findings(view: View) -> Iterator[Finding]:
    for connection in view.connections():
        if connection.state is not ConnectionState.SUSPENDED:
            found = _of(view, connection)
            if found.problem:
                yield found


def _of(view: View, connection: Connection) -> Finding:
    name = finding.name_of(connection)
    needed = missing(view, connection)
    if needed and connection.state is ConnectionState.LIVE:
        cure = f"see `cjsm connection show {name}`"
        return Finding("connections", f"{name} is live without {'; '.join(needed)}", cure)
    ends = [issued.not_after for issued in connection.issued if in_force(issued, view.moment)]
    if not ends or connection.certificate_names:
        return Finding("connections")
    cure = f"renew it (`cjsm connection certificate renew {name}`)"
    return ending("connections", f"the certificate of {name}", max(ends), view.moment, cure)
