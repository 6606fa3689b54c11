"""Requests with something wrong in them against a whole door.

Each is answered or ends its connection; none is a failure of ours, none costs a neighbour anything, none stays in
memory. ``CJSM_LDAP_MUTANTS=100000`` tries more of them than CI does, ``CJSM_LDAP_SEED=2`` others.
"""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import LogEvent, LogLevel, globalLogPublisher

from cjsm.ldap.grammar.codes import Operation
from tests.directory.support import BASE
from tests.ldap import support
from tests.ldap.house import GOLDEN, PASSWORD, Connection, House, golden
from tests.ldap.mutants import Mutants
from tests.ldap.support import asserted, begins, either, equal, paged, present, sort, view

_MUTANTS = int(os.environ.get("CJSM_LDAP_MUTANTS", "4000"))
_SEED = int(os.environ.get("CJSM_LDAP_SEED", "20261129"))
_MOST_MEMORY = 16 * 1024 * 1024
#: Mutants that one connection is sent, unless it ends before.
_ON_A_CONNECTION = 20
_JANE = f"uid=jane.smith,ou=crime,o=avon-police,{BASE}"

_SAMPLES = [
    *(golden(path.stem) for path in sorted(GOLDEN.glob("*.hex"))),
    support.bind(3, "jane.smith@avon", PASSWORD),
    support.sasl(3, "PLAIN", b"\0jane.smith@avon\0" + PASSWORD),
    support.search(4, either(equal("cn", "x"), begins("sn", "sm"), support.element(0xA2, present("uid"))), base=BASE),
    support.search(5, present("cn"), base=BASE, controls=[paged(2), sort("-cn", "sn:caseIgnoreOrderingMatch")]),
    support.search(6, present("cn"), base=BASE, controls=[sort("sn"), view(1, 2, 3, 4), asserted(equal("dc", "cjsm"))]),
    support.search(7, present("cn"), base=BASE, controls=[sort("sn"), view(1, 2, "sm", context=b"x")]),
    support.search(
        8, b"\xa9\x14\x81\x02cn\x82\x02sn\x83\x05smith\x84\x01\xff", base="o=people", scope=1, attributes=["*", "+"]
    ),
    support.compare(9, _JANE, "sn", "smith", asserted(present("cn"))),
    support.abandon(10, 4),
    support.extended(11, "1.3.6.1.4.1.4203.1.11.3"),
    support.extended(12, "1.3.6.1.4.1.1466.20037"),
    support.password_modify(13, "jane.smith@avon", PASSWORD, b"new"),
    *(
        support.request(14, support.element(each, b"\x04\x02xx"))
        for each in Operation
        if each not in (Operation.UNBIND,)
    ),
    support.unbind(15),
]


@pytest.fixture
def failures() -> Iterator[list[LogEvent]]:
    """What is logged as unexpected."""
    found: list[LogEvent] = []

    def watch(event: LogEvent) -> None:
        if event["log_level"] is LogLevel.critical:
            found.append(event)

    globalLogPublisher.addObserver(watch)
    yield found
    globalLogPublisher.removeObserver(watch)


def resident() -> int:
    """Octets of memory that this process takes."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("starttls", [None, object()], ids=["inside TLS", "before TLS"])
def test_mutants(failures: list[LogEvent], starttls: object) -> None:
    """Whatever comes, half of it before signing in: nobody else notices."""
    house = House(starttls=starttls, entries_per_hour=0, entries_per_day=0)
    neighbours = House(entries_per_hour=0, entries_per_day=0)
    neighbours.factory.kept = house.factory.kept
    neighbour = neighbours.connect("bob.muller@avon")
    mutants = Mutants(_SAMPLES, _SEED)
    count = _MUTANTS if starttls is None else _MUTANTS // 10
    before, after = 0, 0
    attacker: Connection | None = None
    for each in range(count):
        if attacker is None or attacker.gone or each % _ON_A_CONNECTION == 0:
            if attacker is not None:
                attacker.lose()
            attacker = house.connect("jane.smith@avon" if each % 2 and starttls is None else None)
        octets = mutants.mutant()
        attacker.ask(octets)
        assert not failures, f"seed {_SEED}, mutant {each}: {octets.hex()}"
        if each % 500 == 0:
            assert neighbour.ask(golden("outlook-search"))[-1].code == 0
            house.access.attempts.clear()
            house.access.avatars.clear()
            house.access.chosen.clear()
            house._connections.clear()
        if each == count // 2:
            before = resident()
    after = resident()
    assert attacker is not None
    attacker.lose()
    neighbour.lose()
    assert house.limits.connected == 0
    assert len(house.factory.kept.opened) == 0
    assert after - before < _MOST_MEMORY


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), st.integers(0x40, 0x7F))
def test_any_operation(content: bytes, tag: int) -> None:
    """Any contents under any application tag."""
    found: list[LogEvent] = []
    globalLogPublisher.addObserver(found.append)
    try:
        connection = _HOUSE.connect("jane.smith@avon")
        connection.ask(support.request(2, support.element(tag & 0xFE or 0x42, content)))
        _HOUSE.hang_up()
    finally:
        globalLogPublisher.removeObserver(found.append)
    assert not [event for event in found if event["log_level"] is LogLevel.critical]
    assert _HOUSE.limits.connected == 0


_HOUSE = House()


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"\x30\x84\x7f\xff\xff\xff\x02\x01\x01", 2),
        (b"\x30\x84\x80\x00\x00\x00", 2),
        (b"\x30\x80\x02\x01\x01\x63\x80", 2),
        (support.search(2, b"\xa2\x82\x01\x00" * 5_000), 2),
        (support.search(2, either(*[present("cn")] * 20_000)), 11),
    ],
    ids=["2 GiB", "over 2 GiB", "indefinite", "NOT without an end", "20,000 alternatives"],
)
def test_what_is_too_much(octets: bytes, code: int) -> None:
    """Refused by its first octets, or in words; nothing of it is kept."""
    connection = House().connect("jane.smith@avon")
    answer = connection.ask(octets)[-1]
    assert answer.code == code
    assert connection.door.framer.buffered == 0
    assert connection.gone == (code == 2)


def test_negations_inside_negations() -> None:
    """Five thousand deep: refused in words."""
    nested = present("cn")
    for _ in range(5_000):
        nested = support.element(0xA2, nested)
    connection = House().connect("jane.smith@avon")
    (refused,) = connection.ask(support.search(2, nested))
    assert refused.code == 11
    (refused,) = connection.ask(support.search(2, present("cn"), base=BASE, controls=[asserted(nested)]))
    assert refused.code == 11
    assert connection.ask(golden("outlook-search"))[-1].code == 0


def test_everything_without_signing_in() -> None:
    """No operation tells anything of anybody; passwords are guessed three times."""
    connection = House().connect()
    for octets, code in (
        (golden("outlook-search"), 50),
        (support.search(2, present("cn"), base=_JANE, scope=0), 50),
        (support.search(2, present("cn"), base="o=nowhere,o=people"), 50),
        (support.search(2, present("cn"), base="not a name"), 50),
        (support.search(2, present("cn"), base=BASE, controls=[sort("cn"), view(0, 1, 1)]), 50),
        (support.search(2, present("cn"), base=BASE, controls=[paged(5, b"x" * 16)]), 50),
        (support.search(2, present("cn"), base=BASE, controls=[asserted(equal("dc", "cjsm"))]), 50),
        (support.compare(2, _JANE, "sn", "smith"), 50),
        (support.compare(2, "cn=nobody", "sn", "smith"), 50),
        *((support.request(2, support.element(each, b"xx")), 50) for each in (Operation.ADD, Operation.DELETE)),
        (support.password_modify(2, "jane.smith@avon", b"wrong", b"new"), 49),
        (support.bind(2, "jane.smith@avon", b"wrong"), 49),
        (support.bind(2, _JANE, b"wrong"), 49),
    ):
        assert connection.ask(octets)[-1].code == code
    assert connection.gone


def test_an_attribute_oracle_learns_nothing() -> None:
    """Filters on what may not be read find nobody, whatever the value, negated or sorted, one letter after another."""
    house = House(entries_per_hour=0, entries_per_day=0)
    connection = house.connect("jane.smith@avon")
    lou = f"uid=lou.smith,o=law-firm,{BASE}"
    secret = "07700900003"
    for attribute, value in (("mobile", secret), ("cjsmLocked", "TRUE"), ("cjsmAccountStatus", "Locked")):
        for filter_ in (
            equal(attribute, value),
            support.element(0xA2, equal(attribute, value)),
            support.element(0xA2, equal(attribute, "other")),
            present(attribute),
            support.element(0xA2, present(attribute)),
            *(begins(attribute, value[:length]) for length in range(2, len(value))),
            b"\xa5" + equal(attribute, "0")[1:],
            b"\xa6" + equal(attribute, "z")[1:],
        ):
            (done,) = connection.ask(support.search(2, filter_, base=lou, scope=0))
            assert done.code == 0
            (failed,) = connection.ask(
                support.search(2, present("sn"), base=lou, scope=0, controls=[asserted(filter_)])
            )
            assert failed.code == 122
        assert connection.ask(support.compare(2, lou, attribute, value))[0].code == 16
        law = f"o=law-firm,{BASE}"
        orders = []
        for key in (attribute, f"-{attribute}"):
            *entries, _ = connection.ask(support.search(2, present("sn"), base=law, controls=[sort(key, "cn")]))
            orders.append([entry.dn for entry in entries])
        assert orders[0] == orders[1]
        assert len(orders[0]) > 3
