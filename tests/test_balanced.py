"""The service behind a load balancer: every door, with real connections."""

import poplib
import smtplib
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.interop.letters import letter
from tests.running import Community

JANE, TOM = "jane.smith@avon", "tom.harding@avon"


@pytest.fixture(scope="module")
def balanced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Community]:
    """A community that takes this machine for its load balancer; two unsigned connections for each client."""
    community = Community(tmp_path_factory.mktemp("balanced") / "demo")
    community.make()
    community.stop()
    config = Path(community.config)
    lines = [
        line
        for line in config.read_text().splitlines()
        if not line.startswith(("proxy_networks", "proxy_header", "anonymous_per_source"))
    ]
    place = lines.index("[connections]") + 1 if "[connections]" in lines else len(lines)
    if place == len(lines):
        lines.append("[connections]")
        place += 1
    lines[place:place] = ['proxy_networks = ["127.0.0.0/8"]', "proxy_header = 1", "anonymous_per_source = 2"]
    config.write_text("\n".join(lines) + "\n")
    community.start()
    yield community
    community.stop()


def header(source: str) -> bytes:
    """What the load balancer says of a client."""
    return f"PROXY TCP4 {source} 192.0.2.1 50000 465\r\n".encode()


def opened(community: Community, door: str, source: str) -> socket.socket:
    """A connection on which only the header was sent, in two packets."""
    made = socket.create_connection(("127.0.0.1", community.port(door)), timeout=10)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.sendall(header(source)[:3])
    time.sleep(0.02)
    made.sendall(header(source)[3:])
    return made


def secured(community: Community, door: str, source: str) -> ssl.SSLSocket:
    """A connection inside TLS."""
    return community.tls().wrap_socket(opened(community, door, source), server_hostname="localhost")


class Submissions(smtplib.SMTP_SSL):
    """A client of port 465 behind the load balancer."""

    def __init__(self, community: Community, source: str) -> None:
        self._made = secured(community, "submissions", source)
        super().__init__("localhost", community.port("submissions"))

    def _get_socket(self, host: str, port: int, timeout: float) -> Any:
        return self._made


class Submission(smtplib.SMTP):
    """A client of port 587 behind the load balancer."""

    def __init__(self, community: Community, source: str) -> None:
        self._made = opened(community, "submission", source)
        super().__init__("localhost", community.port("submission"))

    def _get_socket(self, host: str, port: int, timeout: float) -> Any:
        return self._made


class Pop3(poplib.POP3_SSL):
    """A client of port 995 behind the load balancer."""

    def __init__(self, community: Community, source: str) -> None:
        self._made = secured(community, "pop3s", source)
        super().__init__("localhost", community.port("pop3s"))

    def _create_socket(self, timeout: float) -> Any:
        return self._made


def test_a_message_through_both_submission_doors_and_pop3(balanced: Community) -> None:
    """465, 587 with STARTTLS, and 995 work as ever behind the header."""
    sender, reader = balanced.person(JANE), balanced.person(TOM)
    for number, door in enumerate((Submissions, Submission)):
        session = door(balanced, "203.0.113.7")
        if door is Submission:
            session.starttls(context=balanced.tls())
        session.login(sender["user_id"], sender["password"])
        text = letter(sender, reader, 40_000 + number, f"behind {door.__name__}")
        session.sendmail(sender["address"], [reader["address"]], text)
        session.quit()
    ends = time.monotonic() + 20
    while True:
        pop3 = Pop3(balanced, "203.0.113.8")
        pop3.user(reader["user_id"])
        pop3.pass_(reader["password"])
        count = pop3.stat()[0]
        got = [b"\r\n".join(pop3.retr(number)[1]) for number in range(1, count + 1)]
        pop3.quit()
        if count == 2:
            break
        assert time.monotonic() < ends
        time.sleep(0.1)
    assert sum(len(message) for message in got) > 80_000


def test_the_directory(balanced: Community) -> None:
    """636 answers an anonymous look at its root."""
    root = bytes.fromhex("3025020101632004000a01000a0100020100020100010100870b6f626a656374636c6173733000")
    with closing(secured(balanced, "ldaps", "203.0.113.9")) as connection:
        connection.sendall(root)
        assert connection.recv(10)[:1] == b"\x30"


@pytest.mark.parametrize("door", ["submissions", "submission", "pop3s", "ldaps"])
def test_limits_count_the_client(balanced: Community, door: str) -> None:
    """Two of one client have their places, the third has none; another client behind the same balancer does."""

    def served(stack: ExitStack, source: str) -> bool:
        connection = stack.enter_context(opened(balanced, door, source))
        connection.settimeout(0.5)
        try:
            return connection.recv(3) == b"220"
        except TimeoutError:
            # A door that waits for the handshake has taken the connection.
            return door != "submission"
        except ConnectionResetError:
            return False

    with ExitStack() as stack:
        assert [served(stack, "203.0.113.20") for _ in range(3)] == [True, True, False]
        assert served(stack, "203.0.113.21")


@pytest.mark.parametrize("door", ["submissions", "submission", "pop3s", "ldaps"])
def test_without_a_header_nothing_is_said(balanced: Community, door: str) -> None:
    """Neither a greeting nor a handshake; the time is over after a second, and garbage ends it at once."""
    for said in (b"", b"EHLO me\r\n", b"\x16\x03\x01\x00\x05hello"):
        with socket.create_connection(("127.0.0.1", balanced.port(door)), timeout=10) as connection:
            connection.sendall(said)
            with suppress(ConnectionResetError):
                assert connection.recv(100) == b""
    assert "Traceback" not in balanced.log()


def test_reload_turns_it_off(balanced: Community) -> None:
    """From then on everybody is served as the address they have."""
    config = Path(balanced.config)
    before = config.read_text()
    try:
        config.write_text(before.replace('proxy_networks = ["127.0.0.0/8"]', "proxy_networks = []"))
        assert balanced.command("reload").returncode == 0
        ends = time.monotonic() + 20
        while "settings reloaded" not in balanced.log():
            assert time.monotonic() < ends
            time.sleep(0.05)
        with closing(balanced.pop3(balanced.person(TOM))) as session:
            session.stat()
    finally:
        config.write_text(before)
