"""No packet leaves for anything but an approved next hop: seen by the system's calls, and by listeners everywhere."""

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cjsm.community.records import ConnectionState, DomainState, NextHop
from tests.peers.canary import Canary
from tests.peers.certificates import Identity
from tests.peers.script import HangUp, Script, Step
from tests.peers.scripted import ScriptedPeer
from tests.relay.caller import Calls, send
from tests.relay.evasions import every_form, from_account, from_connection
from tests.relay.firm import NAME, SUFFIXED, Firm
from tests.running import Community

pytestmark = pytest.mark.torture

#: Where mail goes to, if anybody lets it: the usual port of other servers, and those of their submission.
_MAIL = (25, 465, 587, 2525)
_CALL = re.compile(
    r"(?:connect|send\w+)\(.*?sin6?_port=htons\((?P<port>\d+)\)"
    r".*?(?:inet_addr\(|AF_INET6, )\"(?P<address>[^\"]+)"
)
_NAME_SERVERS = re.compile(r"^nameserver +(\S+)", re.MULTILINE)


@pytest.fixture
def own_firm(tmp_path: Path) -> Iterator[Firm]:
    """A firm whose community is watched."""
    community = Community(tmp_path / "demo")
    community.make()
    yield Firm(community, tmp_path / "authority")
    community.stop()


def test_nothing_leaves(own_firm: Firm, program: Callable[[str], str], tmp_path: Path) -> None:
    """Whatever people and servers write, and whoever's approval is taken away while mail for it waits."""
    firm, community = own_firm, own_firm.community
    sender = community.person("jane.smith@avon")
    identity = firm.certificates.server(NAME)
    chambers = Firm(community, tmp_path / "chambers", "chambers", firm.certificates)
    with ScriptedPeer(identity=identity) as peer, ScriptedPeer(Script(at={Step.GREETING: (HangUp(),)})) as once:
        firm.join(peer.port)
        chambers.join(once.port)
        shown = firm.issued()
        with (
            Canary((*_MAIL, chambers_port := once.port + 1)) as canary,
            _watched(community, program, tmp_path / "calls") as calls_seen,
            closing(Calls(community)) as calls,
        ):
            assert ("127.0.0.1", chambers_port) in canary.places
            for way in (from_account, from_connection):
                for wire, forms in every_form(partial(way, calls, shown)):
                    for form in forms:
                        assert wire.say(f"RCPT TO:<{form}>").code // 100 == 5
            _headers(community, sender, shown, calls)
            _approval_taken_away(firm, chambers, sender, chambers_port, once)
            peer.wait_until(lambda peer: len(peer.accepted) >= 2)
        seen = calls_seen()
    assert canary.called == []
    servers = {(address, 53) for address in _NAME_SERVERS.findall(Path("/etc/resolv.conf").read_text())}
    assert ("127.0.0.1", peer.port) in seen
    assert seen - servers <= {("127.0.0.1", peer.port), ("127.0.0.1", once.port)}


def _headers(community: Community, sender: dict[str, Any], shown: Identity, calls: Calls) -> None:
    """Send mail that names outside addresses where they may stand: for reading only."""
    outside = (
        "To: x@evil.com\r\nCc: y@[127.0.0.2], z@localhost\r\nX-To: a@evil.com\r\nList-Post: <mailto:b@evil.com>\r\n"
    )
    with community.smtp(sender) as session:
        letter = f"From: {sender['address']}\r\n{outside}Subject: people\r\n\r\nmail b@evil.com\r\n"
        session.sendmail(sender["address"], [f"jo@{SUFFIXED}"], letter)
    letter = f"From: jo@{SUFFIXED}\r\n{outside}Subject: server\r\n\r\nmail b@evil.com\r\n"
    assert (
        send(calls.call(shown), "jo@firm.example", [sender["address"], f"jo@{SUFFIXED}"], letter.encode()).code == 250
    )


def _approval_taken_away(firm: Firm, chambers: Firm, sender: dict[str, Any], port: int, once: ScriptedPeer) -> None:
    """Mail waits for the chambers; then their server moves, and they are suspended, and not approved any more."""
    community = firm.community
    before = len(community.messages(sender))
    with community.smtp(sender) as session:
        letter = f"From: {sender['address']}\r\nSubject: waits\r\n\r\n"
        session.sendmail(sender["address"], [f"jo@{chambers.suffixed}"], letter)
    once.wait_until(lambda peer: peer.connections)
    chambers.change(state=ConnectionState.SUSPENDED, next_hops=(NextHop(host="127.0.0.1", port=port),))
    firm.retry()
    chambers.change_domain(DomainState.SUSPENDED)
    chambers.change(state=ConnectionState.LIVE)
    firm.retry()
    reports = community.messages(sender, before + 1).values()
    assert any(b"another route" in b" ".join(report.split()) for report in reports)
    assert firm.queue() == []


@contextmanager
def _watched(
    community: Community, program: Callable[[str], str], trace: Path
) -> Iterator[Callable[[], set[tuple[str, int]]]]:
    """Watch whom the service calls or sends to; what is yielded tells of it after the block."""
    calls = "trace=connect,sendto,sendmsg,sendmmsg"
    command = [program("strace"), "-f", "-s", "0", "-e", calls, "-o", trace, "-p", str(community.pid)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracing:
        assert tracing.stderr is not None
        assert "attached" in tracing.stderr.readline()
        try:
            yield lambda: {(each["address"], int(each["port"])) for each in _CALL.finditer(trace.read_text())}
        finally:
            tracing.terminate()
