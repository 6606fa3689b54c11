"""A connection as commands show it."""

import time
from typing import Any

import msgspec

from cjsm.command import acting
from cjsm.command.context import wait
from cjsm.command.output import facts, when
from cjsm.community import finding
from cjsm.community.acts.connections import in_force, missing
from cjsm.community.acts.connectionvalues import hop_in_words
from cjsm.community.authority import Action
from cjsm.community.records import Connection, ConnectionKind, IssuedCertificate
from cjsm.community.view import View
from cjsm.mail.assessment import Verdict, decode_assessment
from cjsm.suite import Suite


def told(view: View, connection: Connection) -> dict[str, Any]:
    """Return everything about *connection* for people and programs; certificates are shown by serial number."""
    cloud = connection.kind is ConnectionKind.CLOUD
    return {
        "connection": finding.name_of(connection),
        "name": connection.name,
        "organisation": finding.path_of(view, connection.organisation),
        "kind": connection.kind,
        "state": connection.state,
        "state_reason": connection.state_reason,
        "state_since": when(connection.state_since),
        "missing": list(missing(view, connection)),
        "domains": [_domain(domain.name, domain.state, domain.listed_members_only, len(domain.exceptions))
                    for domain in view.domains_of(connection.id)],
        "next_hops": [hop_in_words(each) for each in connection.next_hops],
        "tls": {
            "minimum": connection.tls_minimum,
            "name": connection.tls_name or None,
            "trust": connection.tls_trust,
            "pins": list(connection.tls_pins),
        },
        "networks": list(connection.networks),
        "certificate_names": list(connection.certificate_names),
        "certificates": [certificate(each, view.moment) for each in connection.issued],
        **({"provider": connection.provider, "tenant": connection.tenant} if cloud else {}),
        "limits": {name: value for name, value in msgspec.structs.asdict(connection.limits).items() if value},
        "contact": connection.contact,
        "created": when(connection.created),
        "version": connection.version,
    }  # fmt: skip


def _domain(name: str, state: str, listed_members_only: bool, exceptions: int) -> dict[str, Any]:
    return {"name": name, "state": state, "listed_members_only": listed_members_only, "exceptions": exceptions}


def certificate(issued: IssuedCertificate, moment: int) -> dict[str, Any]:
    """Return what there is to know of a certificate."""
    state = "in force" if in_force(issued, moment) else "ended" if issued.revoked is None else "revoked"
    return {
        "serial": issued.serial,
        "fingerprint": issued.fingerprint,
        "state": state,
        "begins": when(issued.not_before),
        "ends": when(issued.not_after),
        "days_left": max(0, (issued.not_after - int(time.time())) // 86_400) if state == "in force" else None,
        "revoked": when(issued.revoked),
    }


def report(suite: Suite, name: str, *, as_json: bool) -> None:
    """Print the connection *name* as it is now."""
    found = suite.stores.community.read_now(lambda view: told(view, finding.connection_of(view, name)))
    found["last_test"] = _last_test(suite, name)
    facts(found, as_json=as_json)


def require(suite: Suite, name: str) -> None:
    """Ask whether whoever acts may see the connection *name*.

    :raises NotAllowed: with the reason.
    """
    found = suite.stores.community.read_now(lambda view: finding.connection_of(view, name))
    acting.require(suite, Action.SEE_CONNECTIONS, found.organisation)


def _last_test(suite: Suite, name: str) -> str | None:
    """Return when the connection was tested last, and what came of it, in a line."""
    connection = suite.stores.community.read_now(lambda view: finding.connection_of(view, name))
    kept = wait(suite.stores.trace.assessments(connection.id, 1))
    if not kept:
        return None
    last = decode_assessment(kept[0])
    problems = [f"{each.where} {each.what}" for each in last.observations if each.verdict is Verdict.PROBLEM]
    return f"{when(last.moment)}: {'all well' if last.well else 'problems: ' + ', '.join(problems)}"
