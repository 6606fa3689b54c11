"""``cjsm connection domain``: the domains of connections."""

from pathlib import Path
from typing import Any

import rich_click as click

from cjsm.command import acting, connectionshown
from cjsm.command.context import open_suite
from cjsm.command.output import Refused, console, document, table
from cjsm.community import finding
from cjsm.community.acts import domains
from cjsm.community.address import Address
from cjsm.community.authority import Action
from cjsm.community.records import Domain, DomainState
from cjsm.community.view import View
from cjsm.suite import Suite


@click.group()
def domain() -> None:
    """Which domains a connection has: mail from and to them goes over it, and over it only."""


@domain.command("add")
@click.argument("name")
@click.argument("domain_name", metavar="DOMAIN")
@click.option("--organisation", help="Whose domain it is, where that is one below the connection's.")
@click.option("--listed-members-only", is_flag=True, help="Only addresses that are listed are members.")
@acting.act_verb
def add(name: str, domain_name: str, config: Path, as_json: bool, **values: Any) -> None:
    """Approve DOMAIN, with or without the suffix, for the connection NAME.

    \b
    cjsm connection domain add firm firm.co.uk
    cjsm connection domain add county leisure.county.gov.uk --organisation county/leisure --listed-members-only
    """
    suite = open_suite(config)
    organisation, listed = values["organisation"], values["listed_members_only"]
    acting.act(
        suite,
        lambda view, by: domains.add(
            view,
            by,
            domain_name,
            finding.connection_of(view, name).id,
            listed_members_only=listed,
            organisation=finding.organisation_of(view, organisation).id if organisation else None,
        ),
    )
    connectionshown.report(suite, name, as_json=as_json)


@domain.command("remove")
@click.argument("domain_name", metavar="DOMAIN")
@acting.act_verb
def remove(domain_name: str, config: Path, as_json: bool) -> None:
    """Take DOMAIN away from its connection. No member may be left in it.

    \b
    cjsm connection domain remove firm.co.uk
    """
    suite = open_suite(config)
    connection = suite.stores.community.read_now(
        lambda view: finding.name_of(finding.connection_of(view, _existing(view, domain_name).connection.hex()))
    )
    acting.act(suite, lambda view, by: domains.remove(view, by, domain_name))
    connectionshown.report(suite, connection, as_json=as_json)


@domain.command("suspend")
@click.argument("domain_name", metavar="DOMAIN")
@click.option("--reason", required=True, help="Why; the ledger keeps it.")
@acting.act_verb
def suspend(domain_name: str, reason: str, config: Path, as_json: bool) -> None:
    """Suspend DOMAIN at once: no mail comes from it, none goes to it.

    \b
    cjsm connection domain suspend firm.co.uk --reason "expired registration"
    """
    suite = open_suite(config)
    acting.act(suite, lambda view, by: domains.set_state(view, by, domain_name, DomainState.SUSPENDED), reason)
    _report(suite, domain_name, as_json=as_json)


@domain.command("resume")
@click.argument("domain_name", metavar="DOMAIN")
@acting.act_verb
def resume(domain_name: str, config: Path, as_json: bool) -> None:
    """Let mail use DOMAIN again.

    \b
    cjsm connection domain resume firm.co.uk
    """
    suite = open_suite(config)
    acting.act(suite, lambda view, by: domains.set_state(view, by, domain_name, DomainState.APPROVED))
    _report(suite, domain_name, as_json=as_json)


@domain.command("exception")
@click.argument("address")
@click.argument("outside", required=False)
@click.option("--remove", "removed", is_flag=True, help="Take the exception of ADDRESS away.")
@acting.act_verb
def exception(address: str, outside: str | None, removed: bool, config: Path, as_json: bool) -> None:
    """Let the member ADDRESS be OUTSIDE at its organisation, where dropping the suffix does not give that.

    \b
    cjsm connection domain exception jo@firm.co.uk.cjsm.test jo.law@mail.firm.co.uk
    cjsm connection domain exception jo@firm.co.uk.cjsm.test --remove
    """
    if (outside is None) is not removed:
        raise click.UsageError("give the address at the organisation, or --remove")
    suite = open_suite(config)
    inside = Address.parse(address)

    def pairs(view: View) -> tuple[tuple[str, str], ...]:
        known = dict(_existing(view, inside.domain).exceptions)
        if outside is not None:
            return tuple((known | {str(inside): outside}).items())
        if known.pop(str(inside), None) is None:
            raise Refused(f"{inside} has no exception", f"see `cjsm connection domain show {inside.domain}`")
        return tuple(known.items())

    acting.act(suite, lambda view, by: domains.set_exceptions(view, by, inside.domain, pairs(view)))
    _report(suite, inside.domain, as_json=as_json)


@domain.command("show")
@click.argument("domain_name", metavar="DOMAIN")
@acting.verb
def show(domain_name: str, config: Path, as_json: bool) -> None:
    """Show DOMAIN with its exceptions.

    \b
    cjsm connection domain show firm.co.uk
    """
    suite = open_suite(config)
    found = suite.stores.community.read_now(lambda view: _existing(view, domain_name))
    acting.require(suite, Action.SEE_CONNECTIONS, found.organisation)
    _report(suite, domain_name, as_json=as_json)


def _existing(view: View, name: str) -> Domain:
    found = view.domain(domains.canonical_domain(view, name))
    if found is None:
        raise Refused(f"there is no domain {name!r}", "see `cjsm connection list`")
    return found


def _told(view: View, found: Domain) -> dict[str, Any]:
    connection = view.connection(found.connection)
    return {
        "domain": found.name,
        "connection": finding.name_of(connection) if connection is not None else None,
        "organisation": finding.path_of(view, found.organisation),
        "state": found.state,
        "listed_members_only": found.listed_members_only,
        "exceptions": [{"address": inside, "outside": outside} for inside, outside in found.exceptions],
    }


def _report(suite: Suite, name: str, *, as_json: bool) -> None:
    told = suite.stores.community.read_now(lambda view: _told(view, _existing(view, name)))
    if as_json:
        document(told)
        return
    console.print(
        f"{told['domain']}  {told['state']}, of {told['organisation']}, over {told['connection']}"
        f"{', listed members only' if told['listed_members_only'] else ''}"
    )
    if told["exceptions"]:
        table([[each["address"], each["outside"]] for each in told["exceptions"]], "member", "at the organisation")
