"""The target: the one named on the command line of ``script/conformance``, else this project's service."""

from collections.abc import Iterator

import pytest

from tests.conformance.judgement import NOTES, Notes, tell
from tests.conformance.pop3.caller import Caller, Mailbox, capabilities
from tests.conformance.pop3.target import Submission, Target
from tests.conformance.target import CHOSEN, Security
from tests.running import Community, beside

#: Doors of this project's service that the suite is run against.
_DOORS = {"pop3s": Security.IMPLICIT, "pop3": Security.STARTTLS}
_CODES = {"AUTH", "IN-USE", "LOGIN-DELAY", "SYS/TEMP", "SYS/PERM", "UTF8"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Once for each door of ours, or once for the target that was chosen."""
    if "door" in metafunc.fixturenames:
        doors = ["chosen"] if CHOSEN in metafunc.config.stash else list(_DOORS)
        metafunc.parametrize("door", doors, scope="session")


@pytest.fixture(scope="session")
def target(request: pytest.FixtureRequest, door: str) -> Target:
    """The server that is spoken to."""
    if door == "chosen":
        chosen: Target = request.config.stash[CHOSEN]
        return chosen
    community: Community = request.getfixturevalue("community")
    sender, reader = community.person("jane.smith@avon"), community.person("tom.harding@avon")
    port = community.port("pop3s") if door == "pop3s" else request.getfixturevalue("stls_port")
    return Target(
        host="localhost",
        port=port,
        security=_DOORS[door],
        authority=community.told["ca_file"],
        user=reader["user_id"],
        password=reader["password"],
        own=True,
        sender=sender["address"],
        recipient=reader["address"],
        deliverer=Submission(community, sender, reader),
    )


@pytest.fixture(scope="session")
def stls_port(community: Community, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The door that begins in the clear, which is off unless it is asked for: in a process of its own, beside."""
    with beside(community, "cjsm-pop3", "pop3", tmp_path_factory.mktemp("stls")) as running:
        yield running.port


@pytest.fixture(scope="session")
def mailbox(target: Target) -> Mailbox:
    """What the mailbox is known to hold."""
    return Mailbox()


@pytest.fixture(scope="session")
def offered(target: Target) -> dict[str, str]:
    """What the target offers inside TLS: parameters by tag; nothing where there is no CAPA."""
    caller = Caller(target, {}, Notes(), "", Mailbox())
    try:
        wire = caller.secured()
        return capabilities(wire)
    except AssertionError:
        return {}
    finally:
        caller.close()


@pytest.fixture
def caller(
    request: pytest.FixtureRequest, target: Target, offered: dict[str, str], mailbox: Mailbox
) -> Iterator[Caller]:
    """Who speaks to the target; afterwards every reply that was heard is as RFC 2449 sections 4 and 8 want it."""
    notes = request.config.stash.setdefault(NOTES, Notes())
    calling = Caller(target, offered, notes, request.node.name, mailbox)
    yield calling
    calling.close()
    for wire in calling.wires:
        assert wire.longest <= 512
        for reply in wire.heard:
            if "RESP-CODES" in offered and reply.status == "-ERR" and reply.text.startswith("["):
                assert reply.code in _CODES, f"not a response code: {reply}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was left out and what was found."""
    tell(terminalreporter, config.stash.get(NOTES, Notes()), "POP3")
