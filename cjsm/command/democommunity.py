"""Fills a new community with the people of ``data/demo/community.toml``."""

import os
import secrets
import tomllib
from pathlib import Path
from typing import Any

from msgspec import Struct
from rich.progress import Progress

from cjsm import resources
from cjsm.access.enrolment import Enrolled
from cjsm.command import issuing
from cjsm.command.acting import act
from cjsm.command.context import wait
from cjsm.command.output import errors
from cjsm.community import finding
from cjsm.community.acts import connections, domains, organisations, roles
from cjsm.community.acts.acting import By
from cjsm.community.acts.credentials import PROTOCOLS
from cjsm.community.address import Address, name_from
from cjsm.community.identifiers import LENGTH, ConnectionId, OrganisationId, RoleAssignmentId
from cjsm.community.records import (
    Connection,
    ConnectionKind,
    ConnectionState,
    NextHop,
    Organisation,
    Profile,
    Role,
    RoleAssignment,
)
from cjsm.community.view import Change, View
from cjsm.suite import Suite

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


class DemoRole(Struct, frozen=True):
    """A role as demo.json lists it; no organisation stands for the whole community."""

    role: str
    organisation: str | None


class DemoAccount(Struct, frozen=True, kw_only=True):
    """Somebody to sign in as."""

    user_id: str
    address: str
    name: str
    kind: str
    organisation: str
    roles: tuple[DemoRole, ...]
    password: str
    device_password: str


def make(suite: Suite) -> list[DemoAccount]:
    """Add organisations, connections and people; return everybody, hosted people first."""
    told = tomllib.loads(resources.data("demo", "community.toml").read_text(encoding="utf-8"))
    for organisation in told["organisation"]:
        _organisation(suite, organisation)
    for connection in told["connection"]:
        _connection(suite, connection)
    with Progress(console=errors, transient=True) as progress:
        people = progress.track(told["person"], description="making people and their keys")
        accounts = [_person(suite, person) for person in people]
    return sorted(accounts, key=lambda account: account.kind != "hosted")


def _organisation(suite: Suite, told: dict[str, Any]) -> None:
    above, _, slug = told["path"].rpartition("/")
    by = suite.by()
    identifier = OrganisationId(os.urandom(LENGTH))

    def decide(view: View) -> Change:
        made = Organisation(
            id=identifier,
            parent=finding.organisation_of(view, above).id if above else None,
            slug=slug,
            name=told["name"],
            abbreviation=told.get("abbreviation"),
            business_type=told.get("business_type", ""),
            area=told.get("area", ""),
        )
        return organisations.add(view, by, made)

    wait(suite.stores.community.commit(by.act_id, decide))


def _connection(suite: Suite, told: dict[str, Any]) -> None:
    identifier = ConnectionId(os.urandom(LENGTH))

    def decide(view: View, by: By) -> Change:
        made = Connection(
            id=identifier,
            slug=told["short_name"],
            organisation=finding.organisation_of(view, told["organisation"]).id,
            kind=ConnectionKind(told["kind"]),
            name=told["name"],
            next_hops=(NextHop(host=told["next_hop"], port=25),),
        )
        return connections.add(view, by, made)

    act(suite, decide)
    for name in told["domains"]:
        _domain(suite, name, identifier)
    authority = issuing.authority_of(suite.settings)
    issuing.issue(suite, authority, told["short_name"], Path(suite.settings.tls.authority).parent)
    act(suite, lambda view, by: connections.set_state(view, by, identifier, ConnectionState.LIVE))


def _domain(suite: Suite, name: str, connection: ConnectionId) -> None:
    act(suite, lambda view, by: domains.add(view, by, name, connection))


def _person(suite: Suite, told: dict[str, Any]) -> DemoAccount:
    enrolled = _enrol(suite, told)
    account = enrolled.account
    roles = tuple(_grant(suite, enrolled, held) for held in told.get("roles", ()))
    password = "-".join("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(3))
    enrolment = suite.enrolment
    one_time = enrolled.one_time_password.encode()
    device = wait(enrolment.add_device(enrolment.by(), account.id, one_time, name="demo", protocols=PROTOCOLS))
    wait(enrolment.set_password(enrolment.by(account.id), account.id, one_time, password.encode()))
    return DemoAccount(
        user_id=account.user_id,
        address=enrolled.address,
        name=f"{told['first']} {told['last']}",
        kind=account.kind.value,
        organisation=told["organisation"],
        roles=roles,
        password=password,
        device_password=device.secret,
    )


def _enrol(suite: Suite, told: dict[str, Any]) -> Enrolled:
    community, enrolment = suite.stores.community, suite.enrolment
    profile = Profile(
        first_name=told["first"],
        last_name=told["last"],
        user_type=told.get("type", ""),
        telephone=told.get("telephone", ""),
        mobile=told.get("mobile", ""),
        description=told.get("description", ""),
    )

    def place(view: View) -> tuple[OrganisationId, str]:
        found = finding.organisation_of(view, told["organisation"]).id
        name = name_from(profile.first_name, profile.last_name)
        return found, finding.free_user_id(view, name, finding.abbreviation_for(view, found))

    organisation, user_id = community.read_now(place)
    if "address" in told:
        address = Address.parse(f"{told['address']}.{suite.settings.community.suffix}")
        return wait(enrolment.add_relayed(enrolment.by(), organisation, user_id, profile, address))
    quota = suite.settings.mail.quota
    return wait(enrolment.add_hosted(enrolment.by(), organisation, user_id, profile, quota))


def _grant(suite: Suite, enrolled: Enrolled, told: dict[str, Any]) -> DemoRole:
    by = suite.by()
    identifier = RoleAssignmentId(os.urandom(LENGTH))
    where = told.get("organisation")

    def decide(view: View) -> Change:
        organisation = finding.organisation_of(view, where).id if where else None
        role = Role(told["role"])
        assignment = RoleAssignment(id=identifier, account=enrolled.account.id, role=role, organisation=organisation)
        return roles.grant(view, by, assignment)

    wait(suite.stores.community.commit(by.act_id, decide))
    return DemoRole(told["role"], where)
