"""The target: the one named on the command line of ``script/conformance``, else both doors of our service."""

from collections.abc import Iterator

import pytest

from tests.conformance.judgement import NOTES, Notes, tell
from tests.conformance.ldap.caller import Caller, Target, offers
from tests.conformance.target import CHOSEN, Security
from tests.running import Community

_DOORS = {"ldaps": Security.IMPLICIT, "ldap": Security.STARTTLS}


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
    account = community.person("jane.smith@avon")
    return Target(
        host="localhost",
        port=community.port("ldaps") if door == "ldaps" else request.getfixturevalue("starttls").port,
        security=_DOORS[door],
        authority=community.told["ca_file"],
        user=account["user_id"],
        password=account["password"],
        own=True,
        base=community.told["base_dn"],
    )


@pytest.fixture(scope="session")
def offered(target: Target) -> dict[str, str]:
    """What the target lists in its root DSE."""
    return offers(target)


@pytest.fixture
def caller(request: pytest.FixtureRequest, target: Target, offered: dict[str, str]) -> Iterator[Caller]:
    """Who speaks to the target."""
    calling = Caller(target, offered, request.config.stash.setdefault(NOTES, Notes()), request.node.name)
    yield calling
    calling.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was left out and what was found."""
    tell(terminalreporter, config.stash.get(NOTES, Notes()), "LDAP")
