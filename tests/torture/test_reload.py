"""Certificates and settings replaced under load, again and again: no connection is dropped, no message lost."""

import poplib
import re
import smtplib
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from cjsm.vault.certificates import Authority
from tests.conformance.smtp.client import Wire
from tests.ldap.support import bind, equal, search
from tests.peers.certificates import Identity
from tests.peers.scripted import ScriptedPeer
from tests.relay.caller import Calls, addressed, send
from tests.relay.firm import NAME, SUFFIXED, Firm
from tests.running import Community

pytestmark = pytest.mark.torture

_RELOADS = 6
_NUMBER = re.compile(rb"^Subject: number (\S+)\r\n", re.MULTILINE)


class Load(threading.Thread):
    """Does one thing again and again, over a connection that stays; what goes wrong with it is kept."""

    def __init__(self, name: str, once: Callable[[int], object]) -> None:
        super().__init__(name=name)
        self.done = 0
        self.problem: BaseException | None = None
        self.ending = threading.Event()
        self._once = once

    def goes_on(self) -> None:
        """Wait until it has done something that began now, or could not."""
        before = self.done
        _until(lambda: self.problem or self.done > before + 1)

    def run(self) -> None:
        try:
            while not self.ending.is_set():
                self._once(self.done)
                self.done += 1
        except BaseException as error:  # noqa: BLE001 - the test asks for it
            self.problem = error


@pytest.fixture
def own_firm(tmp_path: Path) -> Iterator[Firm]:
    """A firm whose community is replaced piece by piece."""
    community = Community(tmp_path / "demo")
    community.make()
    yield Firm(community, tmp_path / "authority")
    community.stop()


def test_reloaded_under_load(own_firm: Firm) -> None:
    """Every door and the way out are busy; some sessions are in the middle of a message, some idle."""
    firm, community = own_firm, own_firm.community
    jane, tom = community.person("jane.smith@avon"), community.person("tom.harding@avon")
    marek = community.person("marek.nowak@avon")
    with ScriptedPeer(identity=firm.certificates.server(NAME)) as peer, ExitStack() as held:
        firm.join(peer.port)
        calls, shown = held.enter_context(closing(Calls(community))), firm.issued()
        slow = _begun(calls.call(shown), tom)
        sessions = [held.enter_context(closing(community.smtp(jane))) for _ in range(5)]
        out, within, *idle = sessions
        loads = [
            _submission(out, jane, "out", f"jo@{SUFFIXED}"),
            _submission(within, jane, "in", tom["address"]),
            _relay(calls, shown, tom),
            _reading(held.enter_context(closing(community.pop3(marek)))),
            _searching(held.enter_context(closing(_connected(community))), community, jane),
        ]
        for load in loads:
            load.start()
        try:
            for number in range(_RELOADS):
                _replace(community, number)
                slow.send(b"a line after reload %d\r\n" % number)
                for load in loads:
                    load.goes_on()
        finally:
            for load in loads:
                load.ending.set()
            for load in loads:
                load.join(30)
        assert {load.name: load.problem for load in loads} == dict.fromkeys(load.name for load in loads)
        slow.send(b".\r\n")
        assert slow.reply().code == 250
        assert [session.noop()[0] for session in idle] == [250] * len(idle)
        submitted, incoming, relayed = loads[:3]
        peer.wait_until(lambda peer: len(peer.accepted) >= submitted.done)
        assert (peer.halves, peer.exposed) == ([], [])
        assert _numbers(message.octets for message in peer.accepted) == Counter(
            f"out-{number}" for number in range(submitted.done)
        )
        arrived = community.messages(tom, incoming.done + relayed.done + 1)
        assert _numbers(arrived.values()) == Counter(
            ["slow", *(f"{load.name}-{number}" for load in (incoming, relayed) for number in range(load.done))]
        )


def _replace(community: Community, number: int) -> None:
    """Put another certificate and other settings in place; who connects now sees both."""
    tls = community.directory / "tls"
    earlier = _shown(community)
    authority = Authority.load(tls / "authority.pem", tls / "authority.key")
    authority.issue(("localhost", "127.0.0.1"), int(time.time()), 20, tls / "server.pem", tls / "server.key")
    community.set("message_octets", str(10_000_000 + number))
    community.reload()
    assert _shown(community) != earlier
    with community.smtp(community.person("jane.smith@avon")) as session:
        assert session.esmtp_features["size"] == str(10_000_000 + number)


def _shown(community: Community) -> bytes:
    with (
        socket.create_connection(("localhost", community.port("pop3s")), timeout=10) as plain,
        community.tls().wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        return connection.getpeercert(binary_form=True) or b""


def _letter(sender: str, number: str) -> bytes:
    # Some are large enough to have a file of their own, and to take several turns on the way.
    text = b"a line of evidence\r\n" * (40_000 if number.endswith("7") else 50)
    return f"From: {sender}\r\nSubject: number {number}\r\n\r\n".encode() + text


def _begun(wire: Wire, reader: dict[str, Any]) -> Wire:
    """In the middle of a message, which goes on with every reload."""
    addressed(wire, f"jo@{SUFFIXED}", [reader["address"]])
    assert wire.say("DATA").code == 354
    wire.send(_letter(f"jo@{SUFFIXED}", "slow"))
    return wire


def _submission(session: smtplib.SMTP, sender: dict[str, Any], name: str, recipient: str) -> Load:
    def once(number: int) -> None:
        session.sendmail(sender["address"], [recipient], _letter(sender["address"], f"{name}-{number}"))

    return Load(name, once)


def _relay(calls: Calls, shown: Identity, reader: dict[str, Any]) -> Load:
    wire = calls.call(shown)

    def once(number: int) -> None:
        message = _letter(f"jo@{SUFFIXED}", f"relay-{number}")
        assert send(wire, f"jo@{SUFFIXED}", [reader["address"]], message).code == 250

    return Load("relay", once)


def _reading(session: poplib.POP3) -> Load:
    return Load("reading", lambda _: session.noop())


def _connected(community: Community) -> ssl.SSLSocket:
    plain = socket.create_connection(("localhost", community.port("ldaps")), timeout=20)
    return community.tls().wrap_socket(plain, server_hostname="localhost")


def _searching(connection: ssl.SSLSocket, community: Community, member: dict[str, Any]) -> Load:
    connection.sendall(bind(1, member["user_id"], member["password"].encode()))
    assert b"\x0a\x01\x00" in connection.recv(1_000)
    asked = search(2, equal("mail", member["address"]), base=community.told["base_dn"], attributes=["cn"])

    def once(_: int) -> None:
        connection.sendall(asked)
        assert member["user_id"].partition("@")[0].encode() in _answered(connection)

    return Load("searching", once)


def _answered(connection: ssl.SSLSocket) -> bytes:
    """Read to the end of one search, its SearchResultDone of success."""
    octets = b""
    while b"\x65\x07\x0a\x01\x00" not in octets:
        octets += connection.recv(65_536) or pytest.fail("the directory ended the connection")
    return octets


def _numbers(messages: Any) -> Counter[str]:
    """Return how often each message is there."""
    found = (_NUMBER.search(octets) for octets in messages)
    return Counter(match[1].decode() if match is not None else "" for match in found)


def _until(holds: Callable[[], object]) -> None:
    ends = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.02)
