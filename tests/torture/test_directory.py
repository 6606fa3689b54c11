"""Hostile clients at the directory of a running service: others are served meanwhile, memory stays, no traceback."""

import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from cjsm.ldap.grammar.codes import Operation
from cjsm.ldap.grammar.framing import Framer
from tests.ldap import support
from tests.ldap.mutants import Mutants
from tests.ldap.support import Result, asserted, begins, either, equal, paged, present, sort, view
from tests.running import Beside, Community

pytestmark = pytest.mark.torture

_MUTANTS = int(os.environ.get("CJSM_LDAP_MUTANTS", "300"))
_SEED = int(os.environ.get("CJSM_LDAP_SEED", "20261129"))
_MOST_MEMORY = 16 * 1024 * 1024
_START_TLS = support.extended(1, "1.3.6.1.4.1.1466.20037")


class Client:
    """One connection."""

    def __init__(self, community: Community, user_id: str = "") -> None:
        plain = socket.create_connection(("localhost", community.port("ldaps")), timeout=30)
        self.socket = community.tls().wrap_socket(plain, server_hostname="localhost")
        self._framer = Framer(16 * 1024 * 1024)
        if user_id:
            password = community.person(user_id)["password"].encode()
            assert self.ask(support.bind(1, user_id, password))[-1].code == 0

    def ask(self, octets: bytes) -> list[Any]:
        """Send, and return the answers to the first result."""
        self.socket.sendall(octets)
        found: list[Any] = []
        while not (found and isinstance(found[-1], Result)):
            found += support.answers(self.message())
        return found

    def message(self) -> bytes:
        """Return the next."""
        while (message := self._framer.next_message()) is None:
            received = self.socket.recv(65_536)
            if not received:
                raise ConnectionError
            self._framer.feed(received)
        return message

    def rest(self) -> list[Any]:
        """Return what is said until the end."""
        found: list[Any] = []
        with suppress(ConnectionError, ssl.SSLError, TimeoutError):
            while True:
                found += support.answers(self.message())
        return found

    def close(self) -> None:
        """Hang up."""
        self.socket.close()


class Neighbour(threading.Thread):
    """Somebody who completes names all the time."""

    def __init__(self, community: Community) -> None:
        super().__init__()
        self._client = Client(community, "marek.nowak@avon")
        self._asked = support.search(2, either(begins("cn", "smi"), begins("sn", "smi"), begins("mail", "smi")))
        self._over = threading.Event()
        self.served = 0
        self.longest = 0.0

    def run(self) -> None:
        """Ask until it is over, and once more."""
        with closing(self._client):
            over = False
            while not over:
                over = self._over.wait(0.01)
                begun = time.monotonic()
                assert self._client.ask(self._asked)[-1].code == 0
                self.longest = max(self.longest, time.monotonic() - begun)
                self.served += 1

    def wait_for(self, more: int) -> None:
        """Wait until so many more answers have come."""
        enough, ends = self.served + more, time.monotonic() + 60
        while self.served < enough:
            assert time.monotonic() < ends, "somebody else is not served"
            time.sleep(0.01)

    def stop(self) -> None:
        """It is over."""
        self._over.set()
        self.join()


@pytest.fixture(autouse=True)
def neighbour(community: Community) -> Iterator[Neighbour]:
    """During each attack somebody else is served; after it memory has not grown much, and no surprise is logged."""
    before, logged = _resident(community), len(community.log())
    asking = Neighbour(community)
    asking.start()
    yield asking
    asking.stop()
    print(f"a neighbour was served {asking.served} times and waited {asking.longest:.3f} seconds at most")
    assert asking.served
    assert _resident(community) - before <= _MOST_MEMORY
    said = community.log()[logged:]
    assert "Traceback" not in said, said[-3_000:]
    assert "#error" not in said, said[-3_000:]
    assert "#critical" not in said, said[-3_000:]


def _resident(community: Community) -> int:
    status = Path(f"/proc/{community.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


@pytest.mark.parametrize(
    "octets",
    [b"\x30\x84\x7f\xff\xff\xff" + b"A" * 2_000_000, b"\x30\x80" + b"\x02\x01\x01" * 100_000],
    ids=["2 GiB", "indefinite"],
)
@pytest.mark.parametrize("user_id", ["", "jane.smith@avon"], ids=["anonymous", "signed in"])
def test_messages_without_an_end(community: Community, octets: bytes, user_id: str) -> None:
    """Refused by their first octets."""
    with closing(Client(community, user_id)) as client:
        with suppress(OSError):
            client.socket.sendall(octets)
        (notice,) = client.rest() or [None]
        # A reset may overtake it, where much is still on its way.
        assert notice is None or notice.code == 2


def test_deep_and_wide_filters(community: Community) -> None:
    """Each is refused in words and the next request is answered."""
    nested = present("cn")
    for _ in range(5_000):
        nested = support.element(0xA2, nested)
    with closing(Client(community, "jane.smith@avon")) as client:
        for filter_ in (nested, either(*[present("cn")] * 20_000), either(*[begins("cn", "a" * 30)] * 10_000)):
            assert client.ask(support.search(2, filter_))[-1].code == 11
        assert client.ask(support.search(2, present("cn"), scope=0))[-1].code == 0


def test_three_thousand_searches(community: Community, neighbour: Neighbour) -> None:
    """In one write, dear ones, of which the client takes one answer; somebody else is served before it leaves."""
    dear = either(*[support.element(0xA2, begins("description", f"no{each}")) for each in range(90)])
    with closing(Client(community, "jane.smith@avon")) as client:
        octets = b"".join(support.search(each, dear, size=1) for each in range(2, 3_002))
        sending = threading.Thread(target=_send, args=(client.socket, octets))
        sending.start()
        assert len(support.answers(client.message())) == 1
        neighbour.wait_for(20)
        client.socket.shutdown(socket.SHUT_RDWR)
        sending.join()


def _send(connection: socket.socket, octets: bytes) -> None:
    with suppress(OSError, ValueError):
        connection.sendall(octets)


def test_one_octet_at_a_time(community: Community) -> None:
    """A request in as many records as octets is a request."""
    with closing(Client(community, "jane.smith@avon")) as client:
        for octet in support.search(2, equal("uid", "jane.smith"), controls=[sort("cn"), view(0, 5, 1)]):
            client.socket.sendall(bytes((octet,)))
        assert len(support.answers(client.message())) == 1


def test_everything_without_signing_in(community: Community) -> None:
    """Every operation with every control: nothing of anybody."""
    base = community.told["base_dn"]
    with closing(Client(community)) as client:
        for octets in (
            *(support.search(2, present("cn"), base=base, scope=scope) for scope in (0, 1, 2)),
            support.search(2, present("cn"), base=base, controls=[paged(5, b"x" * 16)]),
            support.search(2, present("cn"), base=base, controls=[sort("cn"), view(0, 1, 1)]),
            support.search(2, present("cn"), base=base, controls=[asserted(present("dc"))]),
            support.compare(2, base, "dc", "cjsm"),
            *(support.request(2, support.element(each, b"xx")) for each in (Operation.ADD, Operation.DELETE)),
        ):
            (refused,) = client.ask(octets)
            assert refused.code == 50


def test_open_searches_are_few(community: Community) -> None:
    """Thousands of first pages leave three behind; connections that end leave none."""
    for _ in range(3):
        with closing(Client(community, "jane.smith@avon")) as client:
            for _ in range(500):
                assert client.ask(support.search(2, present("sn"), controls=[paged(1)]))[-1].code in (0, 11)


def test_mutants(community: Community) -> None:
    """Requests with something wrong in them."""
    samples = [
        support.search(2, either(equal("cn", "x"), begins("sn", "sm")), controls=[sort("cn"), view(0, 5, "a")]),
        support.search(3, present("cn"), controls=[paged(2), asserted(present("dc"))]),
        support.compare(4, community.told["base_dn"], "dc", "cjsm"),
        support.extended(5, "1.3.6.1.4.1.4203.1.11.3"),
        support.bind(6),
        support.abandon(7, 2),
    ]
    mutants = Mutants(samples, _SEED)
    client = Client(community, "jane.smith@avon")
    for _ in range(_MUTANTS):
        with suppress(OSError):
            client.socket.sendall(mutants.mutant())
            client.socket.settimeout(0.01)
            if client.socket.recv(65_536):
                continue
        client.close()
        client = Client(community, "jane.smith@avon")
    client.close()


def test_octets_behind_starttls(community: Community, starttls: Beside) -> None:
    """What was put behind the request in the clear ends the connection, in one write or many; nothing is begun."""
    account = community.person("jane.smith@avon")
    signing_in = support.bind(2, account["user_id"], account["password"].encode())
    for behind in (b"\x30", signing_in, _START_TLS, b"\x16\x03\x01\x00\x05hello"):
        with socket.create_connection(("localhost", starttls.port), timeout=30) as plain:
            plain.sendall(_START_TLS + behind)
            told = b""
            with suppress(OSError):
                while more := plain.recv(4_096):
                    told += more
            (notice,) = support.answers(told)
            assert (notice.id, notice.code) == (0, 2)
    # Inside TLS after a request that was alone, nothing that came before counts.
    with socket.create_connection(("localhost", starttls.port), timeout=30) as plain:
        plain.sendall(signing_in)
        (refused,) = support.answers(plain.recv(4_096))
        assert refused.code == 13
        plain.sendall(_START_TLS)
        (begun,) = support.answers(plain.recv(4_096))
        assert begun.code == 0
        with community.tls().wrap_socket(plain, server_hostname="localhost") as inside:
            inside.sendall(support.extended(3, "1.3.6.1.4.1.4203.1.11.3"))
            (who,) = support.answers(inside.recv(4_096))
            assert who.value == b""
            inside.sendall(signing_in)
            (accepted,) = support.answers(inside.recv(4_096))
            assert accepted.code == 0
    said = starttls.log.read_text()
    assert account["password"] not in said
    assert "Traceback" not in said
