"""StartTLS (RFC 4511 §4.14): nothing of value before it, nothing said before it counts inside it."""

from typing import Any

import pytest

from tests.directory.support import BASE
from tests.ldap import support
from tests.ldap.house import Connection, House, golden
from tests.ldap.support import present

_START = support.extended(1, "1.3.6.1.4.1.1466.20037")
_NOTICE = "1.3.6.1.4.1.1466.20036"
_TLS: Any = object()


@pytest.fixture
def house() -> House:
    return House(starttls=_TLS)


def begun(house: House) -> Connection:
    """A connection inside TLS."""
    connection = house.connect()
    (answer,) = connection.ask(_START)
    assert answer.code == 0
    assert connection.transport.started is _TLS
    connection.door.handshakeCompleted()
    return connection


def test_signing_in_after_starttls(house: House) -> None:
    """Then all is as where TLS begins with the first octet."""
    connection = begun(house).sign_in()
    assert connection.ask(golden("outlook-search"))[-1].code == 0
    assert connection.ask(_START)[0].code == 1


def test_a_password_in_the_clear_is_not_looked_at(house: House) -> None:
    """The checker does not hear of it; and TLS may still begin."""
    connection = house.connect()
    for octets in (
        support.bind(1, "jane.smith@avon", b"secret"),
        support.sasl(2, "PLAIN", b"\0jane.smith@avon\0secret"),
    ):
        assert connection.ask(octets)[0].code == 13
    assert connection.ask(support.search(3, present("cn"), base=BASE))[0].code == 13
    assert house.access.attempts == []
    assert connection.ask(_START)[0].code == 0


@pytest.mark.parametrize(
    "behind",
    [
        b"\x30",
        support.bind(2),
        support.bind(2, "jane.smith@avon", b"secret"),
        _START,
        support.unbind(2),
        b"\x16\x03\x01",
    ],
)
def test_octets_behind_the_request_end_it(house: House, behind: bytes) -> None:
    """Somebody on the way could have put them there; TLS does not begin, and nothing of them is carried out."""
    connection = house.connect()
    (notice,) = connection.ask(_START + behind)
    assert (notice.id, notice.code, notice.oid) == (0, 2, _NOTICE)
    assert connection.transport.started is None
    assert connection.gone
    assert house.access.attempts == []


def test_what_came_before_the_request_is_answered_before(house: House) -> None:
    """In order, in the clear."""
    connection = house.connect()
    root = support.search(7, present("objectClass"), scope=0, attributes=["1.1"])
    answers = connection.ask(root + _START)
    assert [(answer.id, getattr(answer, "code", None)) for answer in answers] == [(7, None), (7, 0), (1, 0)]


def test_the_handshake_has_its_time(house: House) -> None:
    """A client that asks for TLS and never begins it is cut off; so is one that says nothing at all."""
    connection, silent = house.connect(), house.connect()
    connection.ask(_START)
    house.clock.advance(10)
    assert connection.transport.aborted
    assert not silent.gone
    house.clock.advance(590)
    assert silent.gone


def test_a_connection_lost_in_the_handshake(house: House) -> None:
    """Leaves nothing."""
    connection = house.connect()
    connection.ask(_START)
    connection.lose()
    house.directory.stop()
    assert house.limits.connected == 0
    assert not house.clock.getDelayedCalls()


def test_no_tls_inside_tls() -> None:
    """Where TLS began with the first octet, it cannot begin again."""
    connection = House().connect()
    assert connection.ask(_START)[0].code == 1
    assert connection.transport.started is None


def test_both_doors_count_together() -> None:
    """Whoever has been given enough at one door does not begin anew at the other."""
    house = House(entries_per_hour=3)
    beside = House(starttls=_TLS)
    beside.factory.kept = house.factory.kept
    beside.factory.settings = house.factory.settings
    house.connect("jane.smith@avon").ask(golden("thunderbird-download"))
    (refused,) = begun(beside).sign_in().ask(golden("outlook-search"))
    assert refused.code == 11
