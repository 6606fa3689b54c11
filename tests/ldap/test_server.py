"""The door: who gets in, what one connection may take, how it ends."""

from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from zope.interface.verify import verifyObject

from cjsm.access.errors import (
    AccessUnavailable,
    CodeNeeded,
    DevicePasswordNeeded,
    MustChoosePassword,
    PasswordExpired,
    TryLater,
)
from cjsm.access.interfaces import IDirectoryReader
from cjsm.community.errors import NotAllowed, Overtaken
from cjsm.community.records import Record
from cjsm.community.view import Change
from cjsm.ldap.grammar.codes import Answer, ResultCode
from cjsm.vault.errors import BadPassword
from tests.directory.support import AVON, BASE, JANE, AccountId, number, person
from tests.ldap import support
from tests.ldap.house import PASSWORD, Connection, House, Reader, golden
from tests.ldap.support import begins, either, equal, named, present

_JANE = f"uid=jane.smith,ou=crime,o=avon-police,{BASE}"
NOTICE = "1.3.6.1.4.1.1466.20036"


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def events() -> Iterator[list[LogEvent]]:
    """What is logged."""
    found: list[LogEvent] = []
    keep = found.append
    globalLogPublisher.addObserver(keep)
    yield found
    globalLogPublisher.removeObserver(keep)


def many() -> list[Record]:
    """Three hundred people more than usual."""
    made: list[Record] = []
    for count in range(300):
        made += person(AccountId(number(5000 + count)), AVON, f"many{count:03d}.people@avon", f"Many{count}", "People")
    return made


@pytest.mark.parametrize(
    "name",
    [
        "jane.smith@avon",
        "jane.smith@avon.cjsm.test",
        _JANE,
        _JANE.upper(),
        "uid=jane.smith@avon,o=people",
    ],
)
def test_names_to_sign_in_with(house: House, name: str) -> None:
    """User ID, address, and either distinguished name."""
    (who,) = house.connect(name).ask(support.extended(2, "1.3.6.1.4.1.4203.1.11.3"))
    assert who.value == f"dn:{_JANE}".encode()


def test_sasl_plain(house: House) -> None:
    """The same checker."""
    assert house.connect().ask(support.sasl(1, "PLAIN", b"\0jane.smith@avon\0secret"))[0].code == 0


@pytest.mark.parametrize("name", ["nobody@avon", "uid=nobody,o=people", "o=people", "uid=,", "jane", "a=b"])
def test_unknown_names_are_refused_like_wrong_passwords(house: House, name: str) -> None:
    """In the same words, and only after the checker was asked, so that it takes as long."""
    (wrong,) = house.connect().ask(support.bind(1, "jane.smith@avon", b"wrong"))
    (unknown,) = house.connect().ask(support.bind(1, name, b"secret"))
    assert (unknown.code, unknown.text) == (wrong.code, wrong.text) == (49, "user name or password not accepted")
    assert len(house.access.attempts) == 2


def test_the_checker_learns_where_and_how(house: House) -> None:
    """Protocol and source come with each attempt; a distinguished name comes as user ID."""
    house.connect(_JANE)
    (attempt,) = house.access.attempts
    assert (attempt.name, attempt.protocol, attempt.source) == ("jane.smith@avon", "ldap", "192.0.2.1")


@pytest.mark.parametrize(
    ("failure", "code", "words"),
    [
        (TryLater(30), 51, "30 seconds"),
        (MustChoosePassword(), 49, "choose your own password"),
        (PasswordExpired(), 49, "expired"),
        (DevicePasswordNeeded(), 49, "device password"),
        (AccessUnavailable(), 52, "not available"),
    ],
)
def test_other_refusals(house: House, failure: Exception, code: int, words: str) -> None:
    """Each has its code and says what to do."""
    house.access.waiting = failure
    (result,) = house.connect().ask(support.bind(1, "jane.smith@avon", b"secret"))
    assert result.code == code
    assert words in result.text


def test_an_unexpected_failure_at_sign_in(house: House, events: list[LogEvent]) -> None:
    """It costs this bind and one event."""
    house.access.waiting = RuntimeError("inside")
    connection = house.connect()
    (result,) = connection.ask(support.bind(1, "jane.smith@avon", b"secret"))
    assert result.code == 80
    assert "inside" not in result.text
    assert len([event for event in events if event["log_level"].name == "critical"]) == 1
    house.access.waiting = None
    connection.sign_in()


def test_an_unexpected_failure_in_a_search(
    house: House, events: list[LogEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It costs this search; the next one is answered."""
    connection = house.connect("jane.smith@avon")
    with monkeypatch.context() as patched:
        patched.setattr("cjsm.ldap.encoded.Encoder.encode", lambda *_: 1 / 0)
        (result,) = connection.ask(golden("outlook-search"))
    assert result.code == 80
    assert len([event for event in events if event["log_level"].name == "critical"]) == 1
    assert connection.ask(golden("outlook-older"))[-1].code == 0


def test_three_wrong_passwords(house: House) -> None:
    """Then one has to connect again."""
    connection = house.connect()
    codes = [connection.ask(support.bind(count, "jane.smith@avon", b"wrong"))[0].code for count in (1, 2, 3)]
    assert codes == [49, 49, 49]
    assert connection.gone


def test_requests_wait_for_the_sign_in(house: House) -> None:
    """A search sent together with the bind is answered as the one who signed in."""
    house.access.waiting = Deferred()
    connection = house.connect()
    assert connection.ask(support.bind(1, "jane.smith@avon", b"secret") + golden("outlook-search")) == []
    house.access.waiting.callback(None)
    house.clock.pump([0.0] * 5)
    assert [answer.id for answer in connection.said()] == [1, 5, 5, 5]


def test_a_client_that_left_while_signing_in(house: House) -> None:
    """Its avatar is given back."""
    house.access.waiting = Deferred()
    connection = house.connect()
    connection.send(support.bind(1, "jane.smith@avon", b"secret"))
    connection.lose()
    house.access.waiting.callback(None)
    assert house.access.logouts == 1
    assert house.limits.connected == 0


def test_signing_in_anew_signs_out_first(house: House) -> None:
    """One avatar at a time."""
    connection = house.connect("jane.smith@avon")
    connection.ask(support.bind(2, "bob.muller@avon", b"secret"))
    assert house.access.logouts == 1
    connection.lose()
    assert house.access.logouts == 2


def test_a_changed_account_ends_the_session(house: House) -> None:
    """At the next request, or a few seconds later by itself."""
    first, second = house.connect("jane.smith@avon"), house.connect("jane.smith@avon")
    for avatar in house.access.avatars:
        avatar.valid = False
    (notice,) = first.ask(golden("outlook-search"))
    assert (notice.id, notice.code, notice.oid) == (0, 8, NOTICE)
    assert "sign in again" in notice.text
    assert first.gone
    house.clock.advance(5)
    assert second.gone


def test_too_many_connections(house: House) -> None:
    """Of one source before signing in; of one account after."""
    first, second = house.connect("jane.smith@avon"), house.connect("jane.smith@avon")
    third = house.connect()
    (busy,) = third.ask(support.bind(1, "jane.smith@avon", b"secret"))
    assert busy.code == 51
    others = [house.connect() for _ in range(3)]
    assert others[2].gone
    for connection in (first, second, third, *others):
        connection.lose()
    assert house.limits.connected == 0


def test_the_handshake_has_its_time(house: House) -> None:
    """A peer that never speaks TLS is cut off."""
    connection = Connection(house, handshake=False)
    house.clock.advance(9)
    assert not connection.gone
    house.clock.advance(1)
    assert connection.transport.aborted


def test_idle_connections_end(house: House) -> None:
    """Ten minutes after the last request, with a notice."""
    connection = house.connect("jane.smith@avon")
    house.clock.advance(599)
    connection.ask(golden("outlook-search"))
    house.clock.advance(599)
    assert not connection.gone
    house.clock.advance(1)
    (notice,) = connection.said()
    assert (notice.code, notice.oid) == (52, NOTICE)
    assert connection.gone


def test_half_a_request_does_not_keep_a_connection(house: House) -> None:
    """An octet now and then is idleness too."""
    connection = house.connect("jane.smith@avon")
    for octet in golden("outlook-search")[:10]:
        house.clock.advance(60)
        connection.send(bytes((octet,)))
    assert connection.gone


def test_what_is_left_is_cut_off(house: House) -> None:
    """A peer that does not close has a moment for it."""
    connection = house.connect()
    connection.send(b"GET / HTTP/1.0\r\n\r\n")
    assert connection.gone
    assert not connection.transport.aborted
    house.clock.advance(5)
    assert connection.transport.aborted
    connection.lose()
    house.directory.stop()
    assert not house.clock.getDelayedCalls()


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.0\r\n\r\n",
        b"\x16\x03\x01\x00\x05hello",
        b"\x30\x84\x7f\xff\xff\xff",
        b"\x30\x80\x02\x01\x01\x42\x00\x00\x00",
        b"\x30\x83\x01\x00\x01",
        support.request(1, b"\x7f\x00"),
        support.request(1, b"\x63\x02\x04\x00"),
    ],
)
def test_what_is_not_ldap(house: House, octets: bytes) -> None:
    """A notice, and the end; others do not notice."""
    neighbour = house.connect("jane.smith@avon")
    connection = house.connect()
    (notice,) = connection.ask(octets)
    assert (notice.id, notice.code, notice.oid) == (0, 2, NOTICE)
    assert connection.gone
    assert neighbour.ask(golden("outlook-search"))[-1].code == 0


def test_requests_may_be_larger_after_signing_in(house: House) -> None:
    """64 KiB before, 1 MiB after."""
    large = support.search(2, either(*[equal("cn", "x" * 3_500)] * 20))
    (notice,) = house.connect().ask(large)
    assert notice.oid == NOTICE
    assert house.connect("jane.smith@avon").ask(large)[0].code == 0


def test_a_filter_too_large_is_answered(house: House) -> None:
    """And the next search is served."""
    connection = house.connect("jane.smith@avon")
    (result,) = connection.ask(support.search(2, either(*[present("cn")] * 20_000)))
    assert result.code == 11
    assert connection.ask(golden("outlook-search"))[-1].code == 0


def test_three_thousand_searches_at_once(house: House) -> None:
    """Reading pauses while they are answered, a few in a turn; a neighbour is served in between."""
    connection, neighbour = house.connect("jane.smith@avon"), house.connect("bob.muller@avon")
    connection.send(b"".join(support.search(2, equal("uid", "nobody.here")) for _ in range(3000)))
    assert len(connection.said()) == 16
    assert connection.transport.producerState == "paused"
    neighbour.send(golden("outlook-search"))
    assert neighbour.said()[-1].code == 0
    house.clock.pump([0.0] * 300)
    assert len(connection.said()) == 3000 - 16
    assert connection.transport.producerState == "producing"


def test_a_client_that_does_not_read_is_waited_for(house: House) -> None:
    """Nothing more is searched, and nothing more read, until it has taken its answers."""
    connection = house.connect("jane.smith@avon")
    connection.door.pauseProducing()
    assert connection.transport.producerState == "paused"
    assert connection.ask(golden("outlook-search")) == []
    connection.door.resumeProducing()
    assert connection.said()[-1].code == 0


#: Parts of names are in no index: this is looked for everywhere.
_SLOW = either(*[named("ou", f"no{count}") for count in range(90)])


def test_long_searches_share() -> None:
    """At most four at work: each goes on in steps, the fifth waits, all are answered."""
    house = House(many())
    connection = house.connect("jane.smith@avon")
    connection.send(b"".join(support.search(count, _SLOW) for count in range(2, 8)))
    assert connection.said() == []
    assert connection.transport.producerState == "paused"
    house.clock.pump([0.0] * 100)
    assert sorted(answer.id for answer in connection.said()) == [2, 3, 4, 5, 6, 7]


def test_abandoned_searches_stop_silently() -> None:
    """Neither entries nor a result come any more."""
    house = House(many())
    connection = house.connect("jane.smith@avon")
    connection.send(support.search(2, _SLOW))
    assert connection.ask(support.abandon(3, 2)) == []
    assert connection.ask(golden("outlook-search"))[-1].code == 0


def test_a_lost_connection_stops_its_searches() -> None:
    """Nothing is searched for nobody."""
    house = House(many())
    connection = house.connect("jane.smith@avon")
    connection.send(support.search(2, _SLOW))
    connection.lose()
    house.clock.pump([0.0] * 50)
    assert connection.said() == []
    house.directory.stop()
    assert not house.clock.getDelayedCalls()


def test_searches_have_their_time() -> None:
    """The client's limit or the server's, with what was found until then."""
    house = House(many())
    connection = house.connect("jane.smith@avon")
    connection.send(support.search(2, _SLOW, time=5))
    assert len(connection.said()) == 0
    house.clock.advance(6)
    *_, result = connection.said()
    assert result.code == 3


def test_size_limits() -> None:
    """A hundred for members, over it code 4 with what there is; more for administrators."""
    house = House(many())
    *entries, done = house.connect("jane.smith@avon").ask(support.search(2, begins("uid", "many")))
    assert (len(entries), done.code) == (100, 4)
    *entries, done = house.connect("ada.admin@avon").ask(support.search(2, begins("uid", "many")))
    assert (len(entries), done.code) == (300, 0)
    *entries, done = house.connect("jane.smith@avon").ask(support.search(3, begins("uid", "many"), size=7))
    assert (len(entries), done.code) == (7, 4)


def test_short_terms_are_refused_in_words(house: House) -> None:
    """The user is told what to do."""
    (result,) = house.connect("jane.smith@avon").ask(support.search(2, begins("cn", "j")))
    assert result.code == 11
    assert "at least 2 characters" in result.text


@pytest.mark.parametrize(
    ("base", "code", "matched"),
    [
        ("o=nowhere,dc=cjsm,dc=test", 32, BASE),
        ("dc=com", 32, ""),
        ("jane", 34, ""),
    ],
)
def test_bases_that_are_not_there(house: House, base: str, code: int, matched: str) -> None:
    """With the nearest entry that is."""
    (result,) = house.connect("jane.smith@avon").ask(support.search(2, equal("cn", "jane smith"), base=base))
    assert (result.code, result.matched) == (code, matched)


@pytest.mark.parametrize(
    ("dn", "attribute", "value", "code"),
    [
        (_JANE, "sn", "SMITH", 6),
        (_JANE, "sn", "jones", 5),
        (_JANE, "mail", "jane.jones@avon.cjsm.test", 6),
        (_JANE, "title", "x", 16),
        (_JANE, "mobile", "07700 900001", 6),
        (f"uid=lou.smith,o=law-firm,{BASE}", "mobile", "07700 900003", 16),
        (_JANE, "cjsmLocked", "FALSE", 16),
        (_JANE, "userPassword", "secret", 17),
        (_JANE, "sn", b"\xff", 21),
        (f"uid=rita.hidden,o=refuge,{BASE}", "sn", "hidden", 32),
        ("jane", "sn", "x", 34),
    ],
)
def test_compare(house: House, dn: str, attribute: str, value: Any, code: int) -> None:
    """True, false, or why not; what may not be read is not there."""
    (result,) = house.connect("jane.smith@avon").ask(support.compare(2, dn, attribute, value))
    assert result.code == code


def test_encoded_entries_are_never_shared_across_rights(house: House) -> None:
    """The same entry and attribute list, once with and once without what is internal or counted."""
    asked = support.search(2, equal("uid", "jane.smith"), attributes=["cn", "mobile", "cjsmLocked"])
    crime = support.search(
        3, present("objectClass"), base=f"ou=crime,o=avon-police,{BASE}", scope=0, attributes=["numSubordinates"]
    )
    expected = {
        "ada.admin@avon": ({"cn", "mobile", "cjsmLocked"}, "5"),
        "jane.smith@avon": ({"cn", "mobile"}, "3"),
        "helen.desk@law": ({"cn", "cjsmLocked"}, "5"),
        "lou.smith@law": ({"cn"}, "3"),
    }
    for _ in range(2):
        for name, (attributes, below) in expected.items():
            connection = house.connect(name)
            assert set(connection.ask(asked)[0].attributes) == attributes
            assert connection.ask(crime)[0].attributes == {"numSubordinates": [below]}
            connection.ask(support.unbind(9))
            connection.lose()


def test_types_only(house: House) -> None:
    """Names without values."""
    entry = house.connect("jane.smith@avon").ask(
        support.search(2, equal("uid", "jane.smith"), attributes=["cn", "mail"], types_only=True)
    )[0]
    assert entry.attributes == {"cn": [], "mail": []}


def test_changes_show_at_the_next_search(house: House) -> None:
    """On a connection that was there before, too."""
    connection = house.connect("jane.smith@avon")
    made = person(AccountId(number(800)), AVON, "new.person@avon", "New", "Person")
    house.community.view = house.community.view.apply(Change(put=tuple(made)))
    house.clock.pump([0.25] * 4)
    assert len(connection.ask(support.search(2, equal("sn", "person")))) == 2


def test_searches_are_logged_without_what_was_typed(house: House, events: list[LogEvent]) -> None:
    """Who, where, for what kind of thing, how many; never the words, nor a person's name in the base."""
    connection = house.connect("jane.smith@avon")
    connection.ask(golden("outlook-search"))
    connection.ask(support.search(2, present("cn"), base=_JANE, scope=0))
    lines = [formatEvent(event) for event in events if "search by" in (formatEvent(event) or "")]
    assert lines == [
        f"search by account-{JANE[-1]} at {BASE}, subtree, for"
        " (&(|(mail=_*)(cn=_*)(sn=_*)(givenName=_*)(displayName=_*))): 2 entries, success",
        f"search by account-{JANE[-1]} at a person, base, for (cn=*): 1 entries, success",
    ]


def test_before_the_directory_is_loaded() -> None:
    """Clients are told to come back; nobody is told that somebody does not exist."""
    house = House()
    house.directory._catalogue = None
    (result,) = house.connect().ask(support.bind(1, _JANE, b"secret"))
    assert result.code == 52


def test_searches_before_the_directory_is_loaded() -> None:
    """Who signs in by user ID may do so; searches are to be tried again, and nothing is logged as a surprise."""
    house = House()
    house.directory._catalogue = None
    connection = house.connect("jane.smith@avon")
    for octets in (golden("outlook-search"), support.compare(2, _JANE, "sn", "smith")):
        (result,) = connection.ask(octets)
        assert result.code == 52
        assert "try again" in result.text
    (who,) = connection.ask(support.extended(3, "1.3.6.1.4.1.4203.1.11.3"))
    assert who.value == b"u:jane.smith@avon"


def test_a_client_that_never_takes_its_answers(house: House) -> None:
    """Is idle, though there is work for it: it would hold what it asked for."""
    connection = house.connect("jane.smith@avon")
    connection.door.pauseProducing()
    connection.send(golden("outlook-search"))
    house.clock.advance(599)
    assert not connection.gone
    house.clock.advance(1)
    assert connection.gone


def test_entries_and_result_are_written_apart(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are programs that stop where both come in one TLS record, curl among them (decision 0004)."""
    connection = house.connect("jane.smith@avon")
    written: list[bytes] = []
    monkeypatch.setattr(connection.transport, "write", written.append)
    connection.send(golden("outlook-search"))
    house.clock.pump([0.0] * 20)
    entries, result = written
    assert [type(answer).__name__ for answer in support.answers(entries)] == ["Found", "Found"]
    assert support.answers(result)[0].code == 0


def test_the_reader_is_what_the_door_expects() -> None:
    """The stand-in for the realm's avatar keeps the interface."""
    assert verifyObject(IDirectoryReader, Reader(JANE))


def test_choosing_a_password(house: House) -> None:
    """The checker is asked for somebody who may choose; by user ID, address or distinguished name, signed in or not."""
    for name in ("jane.smith@avon", "u:jane.smith@avon", f"dn:{_JANE}"):
        connection = house.connect()
        (answer,) = connection.ask(support.password_modify(1, name, PASSWORD, b"new"))
        connection.lose()
        assert (answer.answer, answer.code, answer.text) == (Answer.EXTENDED, 0, "")
    signed_in = house.connect("jane.smith@avon")
    (answer,) = signed_in.ask(support.password_modify(2, None, PASSWORD, b"new"))
    assert answer.code == 0
    assert {attempt.protocol for attempt in house.access.attempts} == {"ldap", "password"}
    assert [each[1:] for each in house.access.chosen] == [(PASSWORD, b"new", "192.0.2.1")] * 4
    assert len({each[0] for each in house.access.chosen}) == 1
    assert house.access.logouts == 4


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (BadPassword("a password needs at least 12 characters"), ResultCode.CONSTRAINT_VIOLATION),
        (Overtaken("at the same moment"), ResultCode.BUSY),
        (TryLater(), ResultCode.BUSY),
        (AccessUnavailable(), ResultCode.UNAVAILABLE),
        (NotAllowed("not yours"), ResultCode.UNWILLING_TO_PERFORM),
        (CodeNeeded(), ResultCode.INVALID_CREDENTIALS),
    ],
)
def test_a_password_that_is_not_taken(house: House, failure: Exception, code: ResultCode) -> None:
    """Says why, in words, and the connection goes on."""
    house.access.failure = failure
    connection = house.connect()
    (answer,) = connection.ask(support.password_modify(1, "jane.smith@avon", PASSWORD, b"new"))
    assert (answer.code, answer.text) == (code, str(failure))
    assert house.access.logouts == 1
    assert connection.ask(support.bind(2))[0].code == 0


@pytest.mark.parametrize("name", ["jane.smith@avon", "nobody@avon", f"uid=nobody,{BASE}", "", "=,=", "u:"])
def test_a_wrong_old_password(house: House, name: str) -> None:
    """Is told as at a bind, whoever it is."""
    connection = house.connect()
    (answer,) = connection.ask(support.password_modify(1, name, b"wrong", b"new"))
    expected = (53,) if name in ("", "u:") else (49,)
    assert answer.code in expected
    assert house.access.chosen == []
    if expected == (49,):
        (bound,) = connection.ask(support.bind(2, name, b"wrong"))
        assert (bound.code, bound.text) == (answer.code, answer.text)


def test_pipelined_old_passwords_are_tried_one_by_one(house: House) -> None:
    """And end at the third wrong one."""
    connection = house.connect()
    answers = connection.ask(
        b"".join(support.password_modify(count, "jane.smith@avon", b"wrong", b"new") for count in range(1, 200))
    )
    assert [answer.code for answer in answers] == [49, 49, 49]
    assert len(house.access.attempts) == 3
    assert connection.gone


def test_a_client_that_goes_while_a_password_is_chosen(house: House) -> None:
    """Hears nothing; what was begun is finished."""
    house.access.waiting = Deferred()
    connection = house.connect()
    connection.ask(support.password_modify(1, "jane.smith@avon", PASSWORD, b"new"))
    connection.lose()
    house.access.waiting.callback(None)
    assert len(house.access.chosen) == 1
    assert house.access.logouts == 1
