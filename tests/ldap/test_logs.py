"""What somebody looked for is nobody else's business: the log has the kind of question, never its words."""

from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from twisted.logger import FileLogObserver, formatEventAsClassicLogText, globalLogPublisher

from cjsm.ldap.grammar.ber import OCTETS, SEQUENCE, element
from cjsm.ldap.grammar.codes import Operation
from tests.directory.support import BASE
from tests.ldap import support
from tests.ldap.house import Connection, House
from tests.ldap.support import asserted, begins, either, equal, paged, present, sort, view

#: Words that people would have typed.
_TYPED = "canarytyped"
_SECRET = "canarysecret"
_JANE = f"uid=jane.smith,ou=crime,o=avon-police,{BASE}"


@pytest.fixture
def log() -> Iterator[StringIO]:
    """All that is logged, tracebacks included, as it would be written."""
    written = StringIO()
    observer = FileLogObserver(written, lambda event: formatEventAsClassicLogText(event) or repr(event))
    globalLogPublisher.addObserver(observer)
    yield written
    globalLogPublisher.removeObserver(observer)


def every_kind() -> list[bytes]:
    """Requests with a typed word wherever one can be, good and bad ones."""
    in_filter = [
        equal("cn", _TYPED),
        equal(_TYPED, "x"),
        begins("cn", _TYPED),
        present(_TYPED),
        either(equal("cn", _TYPED), element(0xA2, equal("anr", _TYPED))),
        element(0xA9, element(0x81, _TYPED.encode()) + element(0x82, b"cn") + element(0x83, _TYPED.encode())),
        element(0xA9, element(0x81, b"caseIgnoreMatch") + element(0x83, _TYPED.encode())),
        b"\xa5" + equal("createTimestamp", _TYPED)[1:],
        equal("cn", _TYPED.encode() + b"\xff"),
        equal("cn", _TYPED * 500),
    ]
    bases = [
        f"cn={_TYPED}",
        f"cn={_TYPED},{BASE}",
        f"o={_TYPED},{BASE}",
        _TYPED,
        f"{_TYPED}=x",
        f"cn={_TYPED}\\",
        "x" * 9,
    ]
    controls: list[list[bytes]] = [
        [sort(_TYPED)],
        [sort(f"cn:{_TYPED}", critical=False)],
        [sort("cn"), view(0, 5, _TYPED)],
        [sort("cn"), view(0, 5, _TYPED + "\udcff".encode("utf-8", "surrogateescape").decode("latin-1"))],
        [view(0, 5, _TYPED)],
        [asserted(equal("dc", _TYPED))],
        [asserted(equal("dc", "cjsm")), paged(1)],
        [asserted(equal("dc", _TYPED)[:-1])],
        [paged(5, _TYPED.encode())],
        [support.control(_TYPED, critical=True, value=_TYPED.encode())],
        [support.control(support.SORT, critical=True, value=_TYPED.encode())],
        [support.control(support.VIRTUAL_LIST, critical=True, value=element(SEQUENCE, _TYPED.encode()))],
    ]
    return [
        *(support.search(2, filter_, base=BASE) for filter_ in in_filter),
        *(support.search(2, equal("cn", "jane smith"), base=base) for base in bases),
        *(support.search(2, present("cn"), base=BASE, controls=given) for given in controls),
        support.search(2, present("cn"), base=BASE, attributes=[_TYPED, f"cn;{_TYPED}"]),
        support.compare(2, _JANE, "cn", _TYPED),
        support.compare(2, _JANE, _TYPED, "x"),
        support.compare(2, f"cn={_TYPED},{BASE}", "cn", _TYPED),
        support.compare(2, BASE, "dc", "cjsm", asserted(equal("dc", _TYPED))),
        support.extended(2, _TYPED, _TYPED.encode()),
        support.request(2, element(Operation.ADD, _TYPED.encode())),
        support.password_modify(2, _TYPED, _SECRET.encode(), _SECRET.encode()),
        support.password_modify(2, "jane.smith@avon", _SECRET.encode(), _SECRET.encode()),
    ]


def ending() -> list[bytes]:
    """Requests that end the connection."""
    return [
        support.request(2, element(Operation.SEARCH, element(OCTETS, _TYPED.encode()))),
        support.request(2, element(0x7F, _TYPED.encode())),
        _TYPED.encode(),
        support.search(2, present("cn"), base=_TYPED) + b"\x30\x80" + _TYPED.encode(),
        support.bind(2, "jane.smith@avon", _SECRET.encode(), version=2),
    ]


def ask(connection: Connection, octets: bytes) -> list[Any]:
    """Send, whatever comes."""
    return connection.ask(octets)


def test_no_typed_word_is_logged(log: StringIO) -> None:
    """Wherever a word can stand in a request, right or wrong, the log does not have it."""
    house = House()
    for octets in every_kind():
        connection = house.connect("jane.smith@avon")
        ask(connection, octets)
        connection.lose()
    for octets in ending():
        connection = house.connect("jane.smith@avon")
        ask(connection, octets)
        connection.lose()
    written = log.getvalue()
    assert written.count("search by") > 20
    assert written.count("compare by") == 4
    assert _TYPED not in written.lower()
    assert _SECRET not in written.lower()


def test_nor_is_a_wrong_password(log: StringIO) -> None:
    """Nor the name, which may be a password that was typed in the wrong place."""
    house = House()
    for octets in (
        support.bind(1, "jane.smith@avon", _SECRET.encode()),
        support.bind(1, _SECRET, _SECRET.encode()),
        support.bind(1, f"cn={_SECRET}", _SECRET.encode()),
        support.sasl(1, "PLAIN", b"\0" + _SECRET.encode() + b"\0" + _SECRET.encode()),
        support.sasl(1, _SECRET, _SECRET.encode()),
    ):
        connection = house.connect()
        ask(connection, octets)
        connection.lose()
    assert _SECRET not in log.getvalue().lower()


@pytest.mark.parametrize(
    "broken",
    [
        "cjsm.ldap.encoded.Encoder.encode",
        "cjsm.ldap.lookups.Search",
        "cjsm.ldap.lookups.shape",
        "cjsm.ldap.server.Lookup",
    ],
)
def test_not_even_when_something_fails(log: StringIO, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    """An unexpected failure is logged with its place, without its words: they may be the client's."""
    house = House()
    connection = house.connect("jane.smith@avon")

    def fail(*_: object, **__: object) -> None:
        raise ValueError(f"cannot do {_TYPED}")

    monkeypatch.setattr(broken, fail)
    (*_, done) = ask(connection, support.search(2, either(equal("cn", _TYPED), equal("uid", "jane.smith"))))
    assert done.code == 80
    written = log.getvalue()
    assert "unexpected failure" in written
    assert "ValueError" in written
    assert "in fail" in written
    assert _TYPED not in written


def test_what_is_logged_of_controls(log: StringIO) -> None:
    """How a search was asked for is part of its kind."""
    connection = House().connect("jane.smith@avon")
    everybody = present("sn")
    ask(connection, support.search(2, everybody, base=BASE, controls=[sort("sn", "-surname"), view(0, 5, "lo")]))
    ask(connection, support.search(2, everybody, base=BASE, controls=[sort("nosuch", critical=False), paged(2)]))
    ask(connection, support.search(2, everybody, base=BASE, controls=[asserted(equal("dc", "cjsm"))]))
    ask(connection, support.compare(2, _JANE, "surname", "x"))
    lines = [line.partition("] ")[2] or line for line in log.getvalue().splitlines() if " by account-" in line]
    assert [line.partition("(sn=*)")[2].partition(":")[0] for line in lines[:3]] == [
        ", sorted by sn sn, a view by value",
        ", sorted by ?, a page",
        ", asserting (dc=_)",
    ]
    assert "of sn: compare_false" in lines[3]


def test_nor_when_a_request_cannot_even_be_read(log: StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the connection ends."""
    connection = House().connect("jane.smith@avon")

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(f"cannot read {_TYPED}")

    monkeypatch.setattr("cjsm.ldap.server.decode", fail)
    assert ask(connection, support.search(2, equal("cn", _TYPED))) == []
    assert connection.transport.aborted
    assert "RuntimeError" in log.getvalue()
    assert _TYPED not in log.getvalue()
