"""The encoding of messages, and what is none (RFC 4511 4.1.1, 5.1)."""

import pytest

from tests.conformance.ldap.caller import NOTICE, Caller
from tests.ldap import support
from tests.ldap.support import present


def test_one_octet_at_a_time(caller: Caller) -> None:
    """In as many writes as octets."""
    wire = caller.secured()
    octets = support.search(1, present("objectClass"), scope=0, attributes=["1.1"])
    wire.send(*(bytes((octet,)) for octet in octets))
    assert [wire.answer().id, wire.answer().code] == [1, 0]


def test_lengths_of_four_octets(caller: Caller) -> None:
    """Are lengths (Windows' client writes no others)."""
    bind = b"\x02\x01\x03\x04\x84\x00\x00\x00\x00\x80\x84\x00\x00\x00\x00"
    inner = b"\x02\x01\x01\x60\x84" + len(bind).to_bytes(4, "big") + bind
    assert caller.secured().result(b"\x30\x84" + len(inner).to_bytes(4, "big") + inner).code == 0


def test_many_at_once(caller: Caller) -> None:
    """Requests in one write are all answered, each under its number."""
    wire = caller.signed_in()
    asked = [support.search(each, present("objectClass"), scope=0, attributes=["1.1"]) for each in range(2, 40)]
    wire.send(b"".join(asked))
    answers = [wire.answer() for _ in range(2 * len(asked))]
    assert sorted(answer.id for answer in answers) == sorted(2 * list(range(2, 40)))


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.0\r\n\r\n",
        b"\x30\x84\x7f\xff\xff\xff\x02",
        b"\x30\x80\x02\x01\x01",
        b"\x30\x05\x02\x01\x01\x04\x00",
    ],
    ids=["HTTP", "2 GiB", "indefinite", "no operation"],
)
def test_what_is_no_message(caller: Caller, octets: bytes) -> None:
    """The connection ends, and a notice says why."""
    wire = caller.secured()
    wire.send(octets)
    told = wire.rest()
    said = bool(told) and (told[0].id, told[0].oid, told[0].code) == (0, NOTICE, 2)
    caller.promise(said, "the end of a connection is not announced")
