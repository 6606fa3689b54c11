"""The target: the one named on the command line of ``script/conformance``, else this project's service."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.smtp.caller import Caller, Notes, offers
from tests.conformance.smtp.target import CHOSEN, CommunityMailbox, Security, Target
from tests.peers.certificates import Identity
from tests.relay.firm import Firm
from tests.running import Community

_NOTES = pytest.StashKey[Notes]()
#: Doors of this project's service that the suite is run against.
_DOORS = {"submission": Security.STARTTLS, "submissions": Security.IMPLICIT, "relay": Security.STARTTLS}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Once for each door of ours, or once for the target that was chosen."""
    if "door" in metafunc.fixturenames:
        doors = ["chosen"] if CHOSEN in metafunc.config.stash else list(_DOORS)
        metafunc.parametrize("door", doors, scope="session")


@pytest.fixture(scope="session")
def target(request: pytest.FixtureRequest, door: str) -> Target:
    """The server that is spoken to."""
    if door == "chosen":
        return request.config.stash[CHOSEN]
    community: Community = request.getfixturevalue("community")
    reader = community.person("tom.harding@avon")
    community.empty(reader)
    return Target(
        host="localhost",
        port=community.port(door),
        security=_DOORS[door],
        authority=community.told["ca_file"],
        **_who_sends(request, community, door),
        recipient=reader["address"],
        refused=community.told["unknown_address"],
        own=True,
        mailbox=CommunityMailbox(community, reader),
    )


def _who_sends(request: pytest.FixtureRequest, community: Community, door: str) -> dict[str, Any]:
    """Return who speaks at a door of ours: a person who signs in, or an organisation's server with its certificate."""
    if door == "relay":
        firm: Firm = request.getfixturevalue("caller_firm")
        shown: Identity = request.getfixturevalue("caller_identity")
        return {"identity": (str(shown.certificate), str(shown.key)), "sender": f"jo@{firm.suffixed}"}
    sender = community.person("jane.smith@avon")
    return {"user": sender["user_id"], "password": sender["password"], "sender": sender["address"]}


@pytest.fixture(scope="session")
def caller_firm(community: Community, tmp_path_factory: pytest.TempPathFactory) -> Firm:
    """An organisation whose server speaks to the relay door."""
    made = Firm(community, tmp_path_factory.mktemp("caller"), "caller")
    made.join(1)
    return made


@pytest.fixture(scope="session")
def caller_identity(caller_firm: Firm) -> Identity:
    """The certificate that the community issued for it, once: a target may be made several times in a session."""
    return caller_firm.issued()


@pytest.fixture(scope="session")
def offered(target: Target) -> dict[str, str]:
    """What the target offers: parameters by keyword."""
    return offers(target)


@pytest.fixture
def caller(request: pytest.FixtureRequest, target: Target, offered: dict[str, str]) -> Iterator[Caller]:
    """Who speaks to the target; afterwards every reply that was heard has a status of its own class, or none."""
    notes = request.config.stash.setdefault(_NOTES, Notes())
    calling = Caller(target, offered, notes, request.node.name)
    yield calling
    calling.close()
    for wire in calling.wires:
        calling.promise(wire.longest <= 512, "a line of a reply is over 512 octets (RFC 5321 4.5.3.1.5)")
        for reply in wire.heard:
            for status in reply.statuses:
                assert not status or status[0] == str(reply.code)[0], f"status and code disagree: {reply}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was left out and what was found."""
    notes = config.stash.get(_NOTES, Notes())
    if notes.left_out:
        terminalreporter.section("SMTP conformance: left out")
        for why, count in sorted(notes.left_out.items()):
            terminalreporter.line(f"{why}: {count} test{'s' if count > 1 else ''}")
    if notes.findings:
        terminalreporter.section("SMTP conformance: does other than this project's service promises")
        for text, tests in sorted(notes.findings.items()):
            terminalreporter.line(f"{text}  [{', '.join(sorted(set(tests)))}]")
