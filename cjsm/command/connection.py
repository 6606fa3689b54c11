"""``cjsm connection``: organisations' own mail systems: add, edit, look, and what state they are in."""

import os
from pathlib import Path
from typing import Any

import msgspec
import rich_click as click
from msgspec import UNSET

from cjsm.command import (
    acting,
    connectionshown,
)
from cjsm.command.connectionvalues import connection_values, given
from cjsm.command.context import open_suite
from cjsm.command.groups import Group
from cjsm.command.output import console, document, table
from cjsm.community import finding
from cjsm.community.acts import connections
from cjsm.community.acts.connections import ConnectionChanges
from cjsm.community.authority import Action
from cjsm.community.identifiers import LENGTH, ConnectionId
from cjsm.community.records import Connection, ConnectionKind, ConnectionState
from cjsm.community.view import View

_KIND = click.Choice([kind.value for kind in ConnectionKind])
_STATE = click.Choice([state.value for state in ConnectionState])


@click.group(cls=Group)
def connection() -> None:
    """Organisations' own mail systems: how they are proved, where mail to them goes, which domains they have.

    \b
    A new one:  cjsm connection add firm smith-and-jones --kind server --name "Firm" --next-hop mail.firm.co.uk:25
                cjsm connection domain add firm firm.co.uk
                cjsm connection certificate issue firm
                cjsm connection live firm
    """


@connection.command("add")
@click.argument("name", metavar="NAME")
@click.argument("organisation")
@click.option("--kind", type=_KIND, required=True, help="An own server, a cloud tenant, or a government domain.")
@click.option("--name", "title", required=True, help="The full name, as reports show it.")
@connection_values
@acting.act_verb
def add(name: str, organisation: str, config: Path, as_json: bool, **values: Any) -> None:
    """Add a connection with the short NAME for ORGANISATION. It is in testing until `connection live`.

    \b
    cjsm connection add firm smith-and-jones --kind server --name "Smith & Jones mail" --next-hop mail.firm.co.uk:25
    cjsm connection add court courts --kind cloud --name "Courts" --provider microsoft-365 --tenant 0f1e2d3c \\
        --next-hop courts.mail.protection.example:25 --tls-trust public
    """
    suite = open_suite(config)
    identifier = ConnectionId(os.urandom(LENGTH))
    kind, title = ConnectionKind(values.pop("kind")), values.pop("title")
    told = given(values)

    def made(view: View) -> Connection:
        place = finding.organisation_of(view, organisation).id
        return Connection(id=identifier, slug=name, organisation=place, kind=kind, name=title, **told)

    acting.act(suite, lambda view, by: connections.add(view, by, made(view)))
    connectionshown.report(suite, name, as_json=as_json)


@connection.command("edit")
@click.argument("name")
@click.option("--rename", help="Another short name.")
@click.option("--name", "title", help="Another full name.")
@connection_values
@click.option(
    "--clear",
    multiple=True,
    type=click.Choice(["networks", "certificate-names", "tls-name", "tls-pins", "limits", "contact"]),
    help="Values to take away.",
)
@acting.act_verb
def edit(name: str, config: Path, as_json: bool, **values: Any) -> None:
    """Change the connection NAME. What is not given stays; options that can be repeated replace all of their kind.

    \b
    cjsm connection edit firm --next-hop mx1.firm.co.uk:25 --next-hop mx2.firm.co.uk:25
    cjsm connection edit firm --tls-pin 3b1f… --tls-pin 9ac0… --limit concurrency=10
    cjsm connection edit firm --clear networks
    """
    suite = open_suite(config)
    rename, title, cleared = values.pop("rename"), values.pop("title"), values.pop("clear")
    limits = values.pop("limits")
    told = given(values)
    empty: dict[str, Any] = {"tls_name": "", "contact": ""}
    told |= {field: empty.get(field, ()) for field in (each.replace("-", "_") for each in cleared) if field != "limits"}
    told |= {field: value for field, value in (("slug", rename), ("name", title)) if value is not None}

    def changes(view: View) -> ConnectionChanges:
        found = finding.connection_of(view, name)
        known = type(found.limits)() if "limits" in cleared else found.limits
        changed = msgspec.structs.replace(known, **limits)
        return ConnectionChanges(**told, limits=changed if limits or "limits" in cleared else UNSET)

    acting.act(suite, lambda view, by: connections.edit(view, by, finding.connection_of(view, name).id, changes(view)))
    connectionshown.report(suite, rename or name, as_json=as_json)


@connection.command("show")
@click.argument("name")
@acting.verb
def show(name: str, config: Path, as_json: bool) -> None:
    """Show the connection NAME, and what it still needs before it can be live.

    \b
    cjsm connection show firm
    """
    suite = open_suite(config)
    connectionshown.require(suite, name)
    connectionshown.report(suite, name, as_json=as_json)


@connection.command("list")
@click.option("--organisation", help="Only this organisation's own.")
@click.option("--state", type=_STATE, help="Only those in this state.")
@acting.verb
def list_(organisation: str | None, state: str | None, config: Path, as_json: bool) -> None:
    """List connections.

    \b
    cjsm connection list
    cjsm connection list --state testing --json
    """
    suite = open_suite(config)
    sight = acting.sight(suite, Action.SEE_CONNECTIONS, organisation)

    def look(view: View) -> list[dict[str, Any]]:
        place = finding.organisation_of(view, organisation).id if organisation else None
        sees = sight(view)
        return [
            connectionshown.told(view, found)
            for found in view.connections()
            if (place is None or found.organisation == place)
            and (state is None or found.state == state)
            and sees(found.organisation)
        ]

    found = sorted(suite.stores.community.read_now(look), key=lambda told: str(told["connection"]))
    if as_json:
        document(found)
    elif not found:
        console.print("no connections")
    else:
        table([_row(told) for told in found], "connection", "organisation", "kind", "state", "domains", "missing")


def _row(told: dict[str, Any]) -> list[str]:
    names = [domain["name"] for domain in told["domains"]]
    some = names if len(names) <= 3 else [*names[:3], f"and {len(names) - 3} more"]
    first = [told[column] for column in ("connection", "organisation", "kind", "state")]
    return [*first, "\n".join(some) or "-", "\n".join(told["missing"]) or "-"]


def _set_state(config: Path, name: str, state: ConnectionState, reason: str, as_json: bool) -> None:
    suite = open_suite(config)
    acting.act(
        suite,
        lambda view, by: connections.set_state(view, by, finding.connection_of(view, name).id, state),
        reason,
    )
    connectionshown.report(suite, name, as_json=as_json)


@connection.command("live")
@click.argument("name")
@acting.act_verb
def live(name: str, config: Path, as_json: bool) -> None:
    """Set the connection NAME live, so that members and it reach each other.

    It needs a domain, a next hop and a way to be proved.

    \b
    cjsm connection live firm
    """
    _set_state(config, name, ConnectionState.LIVE, "", as_json)


@connection.command("suspend")
@click.argument("name")
@click.option("--reason", required=True, help="Why; the ledger keeps it.")
@acting.act_verb
def suspend(name: str, reason: str, config: Path, as_json: bool) -> None:
    """Suspend the connection NAME at once: it neither sends nor gets mail.

    \b
    cjsm connection suspend firm --reason "certificate lost" --as una.above@desk
    """
    _set_state(config, name, ConnectionState.SUSPENDED, reason, as_json)


@connection.command("resume")
@click.argument("name")
@click.option("--testing", is_flag=True, help="Back to testing, not live.")
@acting.act_verb
def resume(name: str, testing: bool, config: Path, as_json: bool) -> None:
    """Let the suspended connection NAME be live again, or be tested again.

    \b
    cjsm connection resume firm
    cjsm connection resume firm --testing
    """
    _set_state(config, name, ConnectionState.TESTING if testing else ConnectionState.LIVE, "", as_json)


connection.elsewhere(
    "connectioncertificate",
    certificate="Certificates that connections show when they relay in; the community's authority issues them.",
)
connection.elsewhere(
    "connectiondns",
    dns="Print the zone to publish: MX, SPF, DKIM, DMARC, MTA-STS and TLS reports for every domain with mail.",
)
connection.elsewhere(
    "connectiondomain",
    domain="Which domains a connection has: mail from and to them goes over it, and over it only.",
)
connection.elsewhere(
    "connectiontest",
    test="Try out the connection NAME, whatever its state, and keep what was found with its date.",
)
