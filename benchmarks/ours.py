"""This service under load: a community of its own in a directory, made once, and the real twistd process."""

import json
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.load import Person, Target
from benchmarks.peers import sink
from benchmarks.processes import free_ports, given, running
from cjsm.command.acting import act
from cjsm.command.context import wait
from cjsm.command.initialise import initialise
from cjsm.community.acts import connections, domains, organisations
from cjsm.community.acts.acting import By
from cjsm.community.identifiers import LENGTH, ConnectionId, OrganisationId
from cjsm.community.records import Connection, ConnectionKind, ConnectionState, NextHop, Organisation, Profile
from cjsm.community.view import Change, View
from cjsm.configuration import load
from cjsm.suite import Suite

#: Processes that take mail.
_TAKING = 2
_SETTINGS = """\
[community]
suffix = "bench.test"
[store]
data_directory = "{home}/data"
secrets_directory = "{home}/secrets"
[tls]
certificate = "{home}/tls/server.pem"
key = "{home}/tls/server.key"
authority = "{home}/tls/authority.pem"
[connections]
listed_networks = ["127.0.0.0/8"]
per_account = 100
[mail]
quota = 1099511627776
[rates]
account_messages_per_minute = 0
account_messages_per_day = 0
account_recipients_per_minute = 0
account_recipients_per_day = 0
source_messages_per_minute = 0
listed_network_messages_per_minute = 0
messages_per_minute = 0
[smtp]
host_name = "localhost"
submissions = "{submissions}"
submission = ""
[pop3]
pop3s = "{pop3s}"
command = 3600
[ldap]
ldaps = ""
"""


@contextmanager
def service(home: Path, people: int) -> Iterator[tuple[Target, int]]:
    """Run the service on *home* with so many people, and connections to the sink's destinations; yield the target
    and the process id.
    """
    told = _community(home, people)
    with serving(home, [Person(**each) for each in told]) as both:
        yield both


@contextmanager
def service_in_parts(home: Path, people: int, *, signs: bool = True) -> Iterator[tuple[Target, tuple[int, ...]]]:
    """Run what :func:`service` does in several processes, as the units in ``etc/systemd`` do: one for each part, and
    two that take mail at one socket. Yield the target and the process ids.

    :param signs: whether it has the keys that sign what is relayed.
    """
    told = _community(home, people)
    with ExitStack() as stack:
        if not signs:
            stack.enter_context(_put_aside(home / "secrets", home / "aside", "dkim-*"))
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=128))
        port, pop3s = listening.getsockname()[1], free_ports(1)[0]
        config = _write_settings(home, "systemd:domain=INET:name=submissions", _on(pop3s))
        processes = [
            stack.enter_context(part(home, config, "cjsm-delivery")),
            stack.enter_context(part(home, config, "cjsm-pop3", pop3s)),
        ]
        for _ in range(_TAKING):
            processes.append(stack.enter_context(part(home, config, "cjsm-smtp", listening=listening)))
        yield _target(home, port, pop3s, [Person(**each) for each in told]), tuple(processes)


@contextmanager
def _put_aside(place: Path, aside: Path, names: str) -> Iterator[None]:
    """Keep the files of *place* that are called so *aside*."""
    aside.mkdir(exist_ok=True)
    moved = [path.rename(aside / path.name) for path in place.glob(names)]
    try:
        yield
    finally:
        for path in moved:
            path.rename(place / path.name)


@contextmanager
def serving(home: Path, people: Sequence[Person]) -> Iterator[tuple[Target, int]]:
    """Run the service on *home*, where these *people* are; yield the target and the process id."""
    submissions, pop3s = free_ports(2)
    config = _write_settings(home, _on(submissions), _on(pop3s))
    with part(home, config, "cjsm", submissions, pop3s) as process:
        yield _target(home, submissions, pop3s, people), process


def _target(home: Path, submissions: int, pop3s: int, people: Sequence[Person]) -> Target:
    return Target(
        name="ours",
        authority=str(home / "tls" / "authority.pem"),
        submissions=submissions,
        pop3s=pop3s,
        people=tuple(people),
    )


def part(
    home: Path, config: Path, name: str, *ports: int, listening: socket.socket | None = None
) -> AbstractContextManager[int]:
    """Run the part of the service that the plug-in *name* is; yields the process id once it listens on *ports*."""
    command = [str(Path(sys.executable).parent / "twistd"), "--nodaemon", "--pidfile=", "--logger=cjsm.logs.text"]
    command += [name, "--config", str(config)]
    passed = [listening.fileno()] if listening is not None else []
    if listening is not None:
        command = given({"submissions": listening}, command)
    return running(command, log=home / f"{name}.log", ports=ports, passed=passed)


def settle(home: Path) -> Path:
    """Make a community without anybody in *home*; return its settings file."""
    home.mkdir(parents=True, exist_ok=True)
    config = _write_settings(home, *(_on(port) for port in free_ports(2)))
    initialise(config, {}, ("localhost", "127.0.0.1"))
    return config


def _on(port: int) -> str:
    return f"tcp:{port}:interface=127.0.0.1"


def _write_settings(home: Path, submissions: str, pop3s: str) -> Path:
    config = home / "cjsm.toml"
    config.write_text(_SETTINGS.format(home=home, submissions=submissions, pop3s=pop3s))
    return config


def _community(home: Path, people: int) -> list[dict[str, str]]:
    told = home / "people.json"
    if told.exists():
        found: list[dict[str, str]] = json.loads(told.read_text())
        return found
    suite = Suite(load(settle(home)))
    organisation = _organisation(suite)
    made = [_person(suite, organisation, number) for number in range(people)]
    for destination in range(sink.DESTINATIONS):
        _connection(suite, organisation, destination)
    wait(suite.stores.close())
    told.write_text(json.dumps(made))
    return made


def _organisation(suite: Suite) -> OrganisationId:
    identifier = OrganisationId(b"\1" * LENGTH)
    made = Organisation(id=identifier, parent=None, slug="bench", name="Bench", abbreviation="bench")
    act(suite, lambda view, by: organisations.add(view, by, made))
    return identifier


def _connection(suite: Suite, organisation: OrganisationId, destination: int) -> None:
    made = Connection(
        id=ConnectionId(destination.to_bytes(LENGTH, "big")),
        organisation=organisation,
        kind=ConnectionKind.SERVER,
        slug=f"d{destination}",
        name=f"Destination {destination}",
        next_hops=(NextHop(host=sink.host(destination), port=sink.PORT),),
        certificate_names=(sink.domain(destination),),
        tls_name=sink.NAME,
    )
    steps: tuple[Callable[[View, By], Change], ...] = (
        lambda view, by: connections.add(view, by, made),
        lambda view, by: domains.add(view, by, sink.domain(destination), made.id),
        lambda view, by: connections.set_state(view, by, made.id, ConnectionState.LIVE),
    )
    for step in steps:
        act(suite, step)


def _person(suite: Suite, organisation: OrganisationId, number: int) -> dict[str, str]:
    enrolment = suite.enrolment
    profile = Profile(first_name=f"Person{number}", last_name="Bench")
    user_id = f"person{number}.bench@bench"
    enrolled: Any = wait(
        enrolment.add_hosted(enrolment.by(), organisation, user_id, profile, suite.settings.mail.quota)
    )
    password = f"correct horse battery {number}"
    identifier = enrolled.account.id
    one_time = enrolled.one_time_password.encode()
    wait(enrolment.set_password(enrolment.by(identifier), identifier, one_time, password.encode()))
    return {"user_id": user_id, "address": enrolled.address, "password": password}
