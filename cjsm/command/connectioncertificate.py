"""``cjsm connection certificate``: client certificates of the community's own authority."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rich_click as click

from cjsm.command import acting, connectionshown, issuing
from cjsm.command.context import as_caller, open_suite, open_suite_for_files
from cjsm.command.issuing import Handed, Wanted
from cjsm.command.output import Refused, console, document, shown, table, when
from cjsm.community import finding
from cjsm.community.acts import certificates
from cjsm.community.authority import Action
from cjsm.community.identifiers import OrganisationId
from cjsm.community.view import View

_MOST_DAYS = 1_095
_LONGEST_REQUEST = 65_536
_LIST_DAYS = 30


@click.group()
def certificate() -> None:
    """Certificates that connections show when they relay in; the community's authority issues them."""


_ISSUE = (
    click.argument("name"),
    click.option("--request", type=click.Path(dir_okay=False, path_type=Path),
                 help="A certificate signing request (PEM): the organisation keeps its key. Else a key is made."),
    click.option("--directory", type=click.Path(file_okay=False, path_type=Path), default=Path("."),
                 help="Where NAME.pem and NAME.key are written; the current directory."),
    click.option("--host", "hosts", multiple=True, help="A host of the connection to name in it; repeat for more."),
    click.option("--server", is_flag=True, help="It may also be shown as the certificate of a server."),
    click.option("--days", type=click.IntRange(1, _MOST_DAYS), default=issuing.DAYS, show_default=True),
)  # fmt: skip


def _issue_options(function: Any) -> Any:
    for option in reversed(_ISSUE):
        function = option(function)
    return function


@certificate.command("issue")
@_issue_options
@acting.verb
def issue(config: Path, as_json: bool, **values: Any) -> None:
    """Issue a certificate for the connection NAME.

    \b
    cjsm connection certificate issue firm
    cjsm connection certificate issue firm --request firm.csr --directory /root/for-firm
    cjsm connection certificate issue firm --host mail.firm.co.uk --server
    """
    _issue(config, as_json, follows=False, **values)


@certificate.command("renew")
@_issue_options
@acting.verb
def renew(config: Path, as_json: bool, **values: Any) -> None:
    """Issue the certificate that follows the one in force, which stays good until it ends or is revoked.

    \b
    cjsm connection certificate renew firm --directory /root/for-firm
    """
    _issue(config, as_json, follows=True, **values)


def _issue(config: Path, as_json: bool, *, follows: bool, **values: Any) -> None:
    suite = open_suite_for_files(config)
    issuing.require(suite, values["name"])
    authority = issuing.authority_of(suite.settings)
    wanted = Wanted(
        request=_request(values["request"]) if values["request"] is not None else None,
        hosts=values["hosts"],
        server=values["server"],
        days=values["days"],
        follows=follows,
    )
    _say_issued(issuing.issue(suite, authority, values["name"], values["directory"], wanted), follows, as_json)


def _request(path: Path) -> bytes:
    with as_caller():
        try:
            with path.open("rb") as file:
                return file.read(_LONGEST_REQUEST)
        except OSError as error:
            raise Refused(f"{path} cannot be read: {error.strerror}", "give the request's file") from None


def _say_issued(handed: Handed, follows: bool, as_json: bool) -> None:
    record = handed.record
    told = {
        "serial": record.serial,
        "fingerprint": record.fingerprint,
        "ends": when(record.not_after),
        "certificate": str(handed.certificate),
        "key": str(handed.key) if handed.key is not None else None,
    }
    if as_json:
        document(told)
        return
    for field, value in told.items():
        console.print(f"{field:<12} {shown(value)}", soft_wrap=True, markup=False)
    if handed.key is not None:
        console.print("next         hand both over on a safe way, then delete the key here")
    if follows:
        console.print("             revoke the one before once this one is in use")


@certificate.command("revoke")
@click.argument("name")
@click.argument("serial")
@click.option("--reason", required=True, help="Why; the ledger keeps it.")
@acting.act_verb
def revoke(name: str, serial: str, reason: str, config: Path, as_json: bool) -> None:
    """Revoke the certificate SERIAL of the connection NAME: the door refuses it from now on.

    \b
    cjsm connection certificate revoke firm 5d2c90… --reason "key lost"
    """
    suite = open_suite(config)
    acting.act(
        suite,
        lambda view, by: certificates.revoked(view, by, finding.connection_of(view, name).id, serial),
        reason,
    )
    sight = acting.sight(suite, Action.SEE_CONNECTIONS)
    _report(suite.stores.community.read_now(lambda view: _told(view, name, sight(view))), as_json)


@certificate.command("list")
@click.argument("name", required=False)
@acting.verb
def list_(name: str | None, config: Path, as_json: bool) -> None:
    """List the certificates of the connection NAME, or of all: the soonest to end first.

    \b
    cjsm connection certificate list
    cjsm connection certificate list firm --json
    """
    suite = open_suite(config)
    if name:
        connectionshown.require(suite, name)
    sight = acting.sight(suite, Action.SEE_CONNECTIONS)
    _report(suite.stores.community.read_now(lambda view: _told(view, name, sight(view))), as_json)


@certificate.command("revocations")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@acting.verb
def revocations(file: Path, config: Path, as_json: bool) -> None:
    """Write a revocation list (CRL, PEM) to FILE, for systems that ask for one. The service itself needs none.

    \b
    cjsm connection certificate revocations revoked.crl
    """
    suite = open_suite_for_files(config)
    acting.require(suite, Action.MANAGE_CONNECTIONS)
    authority = issuing.authority_of(suite.settings)
    revoked = suite.stores.community.read_now(
        lambda view: [
            (issued.serial, issued.revoked)
            for connection in view.connections()
            for issued in connection.issued
            if issued.revoked is not None
        ]
    )
    with as_caller():
        file.write_bytes(authority.revocations(revoked, int(time.time()), _LIST_DAYS))
    if as_json:
        document({"file": str(file), "revoked": len(revoked)})
    else:
        console.print(f"{file}: {len(revoked)} revoked; write it anew within {_LIST_DAYS} days", markup=False)


def _told(view: View, name: str | None, sees: Callable[[OrganisationId | None], bool]) -> list[dict[str, Any]]:
    every = [finding.connection_of(view, name)] if name else view.connections()
    connections = [found for found in every if sees(found.organisation)]
    found = [
        {"connection": finding.name_of(connection), **connectionshown.certificate(issued, view.moment)}
        for connection in connections
        for issued in connection.issued
    ]
    return sorted(found, key=lambda told: (told["state"] != "in force", str(told["ends"])))


def _report(found: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        document(found)
    elif not found:
        console.print("no certificates")
    else:
        columns = ("connection", "serial", "state", "ends", "fingerprint")
        table([[str(told[column]) for column in columns] for told in found], *columns)
