"""Controls at the door: pages, order, views and assertions; what is refused says why."""

from collections.abc import Iterator

import pytest

from cjsm.community.records import Record, Role
from cjsm.community.view import Change
from tests.directory.support import AVON, BASE, BOB, AccountId, number, person, role
from tests.ldap import support
from tests.ldap.house import Connection, House
from tests.ldap.support import asserted, begins, either, equal, paged, present, sort, view

_JANE = f"uid=jane.smith,ou=crime,o=avon-police,{BASE}"
_MANY = begins("uid", "many")


def many(count: int = 300) -> list[Record]:
    """People more than usual, by name in the order of their numbers."""
    made: list[Record] = []
    for each in range(count):
        identifier = AccountId(number(5000 + each))
        made += person(identifier, AVON, f"many{each:03d}.people@avon", f"Many{each:03d}", f"People{each % 7}")
    return made


def pages(
    connection: Connection, size: int, *controls: bytes, filter_: bytes = _MANY, most: int = 0
) -> list[list[str]]:
    """Return the names on each page of a search."""
    found, cookie = [], b""
    while True:
        asked = support.search(2, filter_, size=most, attributes=["1.1"], controls=[paged(size, cookie), *controls])
        *entries, done = connection.ask(asked)
        assert done.code in (0, 4), done
        found.append([entry.dn for entry in entries])
        cookie = done.cookie
        if not cookie:
            return found
        assert done.code == 0


@pytest.fixture(scope="module")
def shared() -> House:
    """One for all tests that change nothing in it: it takes a moment to make."""
    return House(many(), entries_per_hour=0, entries_per_day=0)


@pytest.fixture
def house(shared: House) -> Iterator[House]:
    yield shared
    shared.hang_up()


@pytest.fixture
def changing() -> House:
    return House(many())


# Simple paged results (RFC 2696).


@pytest.mark.parametrize("size", [1, 7, 99, 100, 101, 299, 300, 301, 1_000, 5_000])
def test_pages_are_the_whole_answer_once(house: House, size: int) -> None:
    """Every entry on one page, in the order of the answer without pages; an administrator pages through all."""
    connection = house.connect("ada.admin@avon")
    *entries, _ = connection.ask(support.search(2, _MANY, attributes=["1.1"]))
    found = pages(connection, size)
    assert [dn for page in found for dn in page] == [entry.dn for entry in entries]
    assert all(len(page) == size for page in found[:-1])
    assert found[-1]


def test_pages_may_be_sorted(house: House) -> None:
    """The order goes through all pages; and the answer says that it is one."""
    connection = house.connect("ada.admin@avon")
    found = [dn for page in pages(connection, 40, sort("-sn", "givenName")) for dn in page]
    *entries, done = connection.ask(support.search(2, _MANY, controls=[sort("-sn", "givenName")]))
    assert [entry.dn for entry in entries] == found
    order = [(-int(entry.attributes["sn"][0][-1]), entry.attributes["givenName"][0]) for entry in entries]
    assert order == sorted(order)
    assert done.sorted == (0, "")


def test_members_get_no_more_over_all_pages(house: House) -> None:
    """A hundred, then code 4 with words and no cookie; the client's own limit counts over all pages too."""
    connection = house.connect("jane.smith@avon")
    assert [len(page) for page in pages(connection, 40)] == [40, 40, 20]
    assert [len(page) for page in pages(connection, 50)] == [50, 50]
    assert [len(page) for page in pages(connection, 40, most=50)] == [40, 10]
    assert sum(len(page) for page in pages(connection, 1_000)) == 100
    *_, done = connection.ask(support.search(2, _MANY, controls=[paged(1_000)]))
    assert (done.code, done.cookie) == (4, b"")
    assert "type more" in done.text


def test_administrators_page_in_pieces_they_may_have() -> None:
    """No page is larger than an answer without pages."""
    connection = House(many(), administrator_entries=50).connect("ada.admin@avon")
    assert [len(page) for page in pages(connection, 1_000)] == [50] * 6


def test_a_cookie_is_for_one_search_once(house: House) -> None:
    """Used again, with another search, order or by others, or made up, it is refused in words, without an entry."""
    connection, other = house.connect("ada.admin@avon"), house.connect("ada.admin@avon")
    for which in range(8):
        *_, done = connection.ask(support.search(2, _MANY, controls=[paged(10)]))
        controls, asker, filter_, base = [paged(10, done.cookie)], connection, _MANY, ""
        match which:
            case 0:
                assert len(connection.ask(support.search(3, _MANY, controls=controls))) == 11
            case 1:
                filter_ = begins("uid", "many1")
            case 2:
                base = f"o=avon-police,{BASE}"
            case 3:
                controls.append(sort("cn"))
            case 4:
                asker = other
            case 5:
                controls = [paged(10, b"\0" * 16)]
            case 6:
                controls = [paged(10, done.cookie[:-1])]
            case 7:
                house.clock.advance(120)
        (refused,) = asker.ask(support.search(4, filter_, base=base, controls=controls))
        assert (refused.code, refused.controls) == (53, {}), which
        assert "begin it anew" in refused.text


def test_cookies_say_nothing(house: House) -> None:
    """Two of the same search have nothing in common."""
    connection = house.connect("ada.admin@avon")
    cookies = [connection.ask(support.search(2, _MANY, controls=[paged(10)]))[-1].cookie for _ in range(2)]
    assert [len(cookie) for cookie in cookies] == [16, 16]
    assert cookies[0] != cookies[1]


def test_few_searches_are_open(house: House) -> None:
    """The oldest of a connection gives way; the rest not wanted, a new bind and the end close them."""
    connection, other = house.connect("ada.admin@avon"), house.connect("ada.admin@avon")
    opened = house.factory.kept.opened
    cookies = [connection.ask(support.search(2, _MANY, controls=[paged(10)]))[-1].cookie for _ in range(5)]
    other.ask(support.search(2, _MANY, controls=[paged(10)]))
    assert len(opened) == 4
    (refused,) = connection.ask(support.search(2, _MANY, controls=[paged(10, cookies[1])]))
    assert refused.code == 53
    (done,) = connection.ask(support.search(2, _MANY, controls=[paged(0, cookies[2])]))
    assert (done.code, done.cookie) == (0, b"")
    assert len(opened) == 3
    connection.ask(support.bind(9))
    assert len(opened) == 1
    other.lose()
    assert len(opened) == 0


def test_open_searches_are_forgotten(changing: House) -> None:
    """After their time, whether or not anybody asks; nothing is left to do then."""
    connection = changing.connect("ada.admin@avon")
    connection.ask(support.search(2, _MANY, controls=[paged(10)]))
    changing.clock.advance(60)
    connection.ask(support.search(2, _MANY, controls=[paged(10)]))
    changing.clock.advance(60)
    assert len(changing.factory.kept.opened) == 1
    changing.clock.advance(60)
    assert len(changing.factory.kept.opened) == 0
    connection.lose()
    changing.directory.stop()
    assert not changing.clock.getDelayedCalls()


def test_pages_are_of_one_moment(changing: House) -> None:
    """A change between two pages shows in the next search. Few old directories are held, however often it changes."""
    connections = [changing.connect(name) for name in ("ada.admin@avon", "ada.admin@avon", "carl.community@law")]
    cookies = []
    for each in range(6):
        cookies.append(connections[each % 3].ask(support.search(2, _MANY, controls=[paged(299)]))[-1].cookie)
        made = person(AccountId(number(8000 + each)), AVON, f"many9{each}.people@avon", f"Many9{each}", "Person")
        changing.community.view = changing.community.view.apply(Change(put=tuple(made)))
        changing.clock.pump([0.25] * 4)
    assert len(changing.factory.kept.opened) == 3
    *entries, done = connections[2].ask(support.search(2, _MANY, controls=[paged(299, cookies[5])]))
    assert (len(entries), done.cookie) == (6, b"")
    (refused,) = connections[0].ask(support.search(2, _MANY, controls=[paged(299, cookies[0])]))
    assert refused.code == 53


def test_a_reader_whose_rights_change_begins_anew(changing: House) -> None:
    """What somebody saw as an administrator is not given to who was one."""
    given = role(9, BOB, Role.ORGANISATION_ADMINISTRATOR, AVON)
    changing.community.view = changing.community.view.apply(Change(put=(given,)))
    changing.clock.pump([0.25] * 4)
    connection = changing.connect("bob.muller@avon")
    *_, done = connection.ask(support.search(2, _MANY, controls=[paged(200)]))
    changing.community.view = changing.community.view.apply(Change(removed=(given,)))
    changing.clock.pump([0.25] * 4)
    (refused,) = connection.ask(support.search(2, _MANY, controls=[paged(200, done.cookie)]))
    assert refused.code == 53


def test_an_abandoned_page_closes_the_search(house: House) -> None:
    """Its cookie was used up."""
    connection = house.connect("ada.admin@avon")
    *_, done = connection.ask(support.search(2, _MANY, controls=[paged(10)]))
    connection.door.pauseProducing()
    connection.send(support.search(3, _MANY, controls=[paged(10, done.cookie)]) + support.abandon(4, 3))
    connection.door.resumeProducing()
    connection.ask(b"")
    (refused,) = connection.ask(support.search(5, _MANY, controls=[paged(10, done.cookie)]))
    assert refused.code == 53


def test_no_page_at_all(house: House) -> None:
    """Of nothing, one page; an error has none."""
    connection = house.connect("jane.smith@avon")
    (done,) = connection.ask(support.search(2, equal("cn", "nobody"), controls=[paged(10)]))
    assert (done.code, done.cookie) == (0, b"")
    (refused,) = connection.ask(support.search(2, _MANY, base="o=nowhere", controls=[paged(10), sort("cn")]))
    assert (refused.code, refused.controls) == (32, {})


# Server-side sort (RFC 2891).


def test_sorted_by_rule_and_backwards(house: House) -> None:
    """An attribute's own order, one named by name or number; entries without a value are last, backwards first."""
    connection = house.connect("bob.muller@avon")
    people = equal("objectClass", "person")
    for key in ("sn", "surname", "2.5.4.4", "sn:caseIgnoreOrderingMatch", "sn:2.5.13.3"):
        *entries, done = connection.ask(support.search(2, people, base="o=people", scope=1, controls=[sort(key)]))
        names = [entry.attributes["sn"][0].lower() for entry in entries]
        assert names == sorted(names)
        assert (done.code, done.sorted) == (4, (0, ""))
    for key, place in (("l", 0), ("-l", -1)):
        asked = support.search(2, either(begins("uid", "many01"), equal("uid", "jane.smith")), controls=[sort(key)])
        *entries, _ = connection.ask(asked)
        assert len(entries) == 11
        assert entries[place].dn == _JANE


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("nosuch", 16),
        ("cn;lang-en", 16),
        ("manager", 18),
        ("cn:integerOrderingMatch", 18),
        ("cn:caseIgnoreMatch", 18),
        ("cn:1.2.3", 18),
    ],
)
def test_what_cannot_be_sorted(house: House, key: str, code: int) -> None:
    """Where it is critical, nothing comes; else all comes, and the answer says that it is in no order."""
    connection = house.connect("jane.smith@avon")
    (refused,) = connection.ask(support.search(2, _MANY, controls=[sort(key)]))
    assert (refused.code, refused.sorted) == (12, (code, key.partition(":")[0]))
    *entries, done = connection.ask(support.search(2, _MANY, controls=[sort(key, critical=False)]))
    assert (len(entries), done.code, done.sorted) == (100, 4, (code, key.partition(":")[0]))
    (refused,) = connection.ask(support.search(2, _MANY, controls=[sort(key, critical=False), view(0, 5, 1)]))
    assert (refused.code, refused.view, refused.sorted[0]) == (76, (0, 0, code), code)


# Virtual list view (draft-ietf-ldapext-ldapv3-vlv-09).


@pytest.mark.parametrize(
    ("asked", "first", "count", "target"),
    [
        (view(0, 4, 1), 0, 5, 1),
        (view(5, 4, 1), 0, 5, 1),
        (view(2, 2, 150, 300), 147, 5, 150),
        (view(2, 2, 15, 30), 147, 5, 150),
        (view(2, 2, 300, 300), 297, 3, 300),
        (view(2, 2, 9_999), 297, 3, 300),
        (view(2, 2, 5, context=b"whatever"), 2, 5, 5),
        (view(0, 2, "Many123"), 123, 3, 124),
        (view(1, 1, "MANY  123"), None, 0, 0),
        (view(1, 1, ""), 0, 2, 1),
        (view(2, 2, "zzz"), 298, 2, 301),
        (view(2, 2, 5, critical=False), 2, 5, 5),
    ],
)
def test_views(house: House, asked: bytes, first: int | None, count: int, target: int) -> None:
    """By offset, by the client's idea of the length, and by value; the answer says where, of how many."""
    *entries, done = house.connect("jane.smith@avon").ask(support.search(2, _MANY, controls=[sort("givenName"), asked]))
    assert done.code == 0
    assert done.sorted == (0, "")
    if first is None:
        assert done.view[1:] == (300, 0)
        return
    names = [entry.attributes["givenName"][0] for entry in entries]
    assert names == [f"Many{each:03d}" for each in range(first, first + count)]
    assert done.view == (target, 300, 0)


def test_a_view_of_nothing(house: House) -> None:
    """Has no target."""
    asked = support.search(2, equal("cn", "nobody"), controls=[sort("cn"), view(0, 9, 1)])
    (done,) = house.connect("jane.smith@avon").ask(asked)
    assert (done.code, done.view) == (0, (0, 0, 0))


def test_views_that_are_impossible(house: House) -> None:
    """Each says why in its own code; pages and a view exclude each other."""
    connection = house.connect("jane.smith@avon")
    (refused,) = connection.ask(support.search(2, _MANY, controls=[view(0, 9, 1)]))
    assert (refused.code, refused.view) == (76, (0, 0, 60))
    assert "sort control" in refused.text
    (refused,) = connection.ask(support.search(2, _MANY, controls=[sort("cn"), view(0, 9, 0)]))
    assert (refused.code, refused.view) == (76, (0, 0, 61))
    (refused,) = connection.ask(support.search(2, _MANY, controls=[sort("cn"), view(0, 9, 1), paged(10)]))
    assert (refused.code, refused.controls) == (53, {})
    assert "one of the two" in refused.text


def test_a_view_is_no_larger_than_an_answer(house: House) -> None:
    """What one wants to see at once is limited, however it is asked for; where one looks is not."""
    connection = house.connect("jane.smith@avon")
    *entries, done = connection.ask(support.search(2, _MANY, controls=[sort("givenName"), view(0, 5_000, 1)]))
    assert len(entries) == 100
    assert done.view == (1, 300, 0)
    *entries, done = connection.ask(support.search(2, _MANY, controls=[sort("givenName"), view(0, 9, 200)]))
    assert [entry.attributes["givenName"][0] for entry in entries] == [f"Many{each}" for each in range(199, 209)]


def test_only_what_is_seen_is_counted(house: House) -> None:
    """The same list is longer for who sees more."""
    asked = support.search(
        2, present("sn"), base=f"ou=crime,o=avon-police,{BASE}", controls=[sort("sn"), view(0, 0, 1)]
    )
    counts = {}
    for name in ("jane.smith@avon", "lou.smith@law", "ada.admin@avon"):
        connection = house.connect(name)
        counts[name] = connection.ask(asked)[-1].view[1]
        connection.lose()
    assert counts["lou.smith@law"] < counts["jane.smith@avon"] < counts["ada.admin@avon"]


# Assertion (RFC 4528).


def test_assertions_of_searches_and_compares(house: House) -> None:
    """Of the entry that the request names: true, and it is done; false or undefined, 122 and nothing."""
    connection = house.connect("jane.smith@avon")
    base = f"o=avon-police,{BASE}"
    for filter_, code in (
        (equal("o", "avon-police"), 0),
        (equal("o", "law-firm"), 122),
        (equal("nosuch", "x"), 122),
        (support.element(0xA2, equal("cjsmOrganisationState", "active")), 122),
        (equal("cjsmOrganisationState", "active"), 122),
    ):
        *entries, done = connection.ask(
            support.search(2, equal("uid", "jane.smith"), base=base, controls=[asserted(filter_)])
        )
        assert (done.code, len(entries)) == (code, int(code == 0))
        (compared,) = connection.ask(support.compare(3, base, "o", "avon-police", asserted(filter_)))
        assert compared.code == (6 if code == 0 else 122)
    (missing,) = connection.ask(support.search(2, _MANY, base="o=nowhere", controls=[asserted(equal("o", "x"))]))
    assert missing.code == 32


def test_assertions_of_the_root(house: House) -> None:
    """Everybody may ask it of the root DSE; controls that change nothing there are answered all the same."""
    connection = house.connect()
    vendor = equal("vendorName", "CJSM suite")
    asked = support.search(
        1, present("objectClass"), scope=0, attributes=["vendorName"], controls=[asserted(vendor), paged(5), sort("cn")]
    )
    entry, done = connection.ask(asked)
    assert entry.attributes == {"vendorName": ["CJSM suite"]}
    assert (done.code, done.cookie, done.sorted) == (0, b"", (0, ""))
    (failed,) = connection.ask(support.search(1, vendor, scope=0, controls=[asserted(equal("vendorName", "x"))]))
    assert failed.code == 122
    (compared,) = connection.ask(support.compare(1, "", "supportedLDAPVersion", "3", asserted(vendor)))
    assert compared.code == 6
    (compared,) = connection.ask(support.compare(1, "cn=Subschema", "cn", "other"))
    assert compared.code == 5
    (refused,) = connection.ask(support.search(1, vendor, scope=0, controls=[view(0, 0, 1)]))
    assert (refused.code, refused.view) == (76, (0, 0, 60))
    _, done = connection.ask(support.search(1, vendor, scope=0, controls=[view(0, 0, 1), sort("cn")]))
    assert (done.code, done.view) == (0, (1, 1, 0))


# All of them.


@pytest.mark.parametrize("oid", ["1.2.3", "2.16.840.1.113730.3.4.18", "x" * 300, "1.2.840.113556.1.4.529"])
def test_unknown_controls(house: House, oid: str) -> None:
    """Ignored; where the request depends on one, it is refused in words that name it, if it has a number."""
    connection = house.connect("jane.smith@avon")
    *_, done = connection.ask(support.search(2, _MANY, controls=[support.control(oid, value=b"x")]))
    assert done.code == 4
    for octets in (
        support.search(2, _MANY, controls=[support.control(oid, critical=True)]),
        support.compare(2, BASE, "dc", "cjsm", support.control(oid, critical=True)),
        support.request(2, support.element(0x60, b"\x02\x01\x03\x04\x00\x80\x00"), support.control(oid, critical=True)),
    ):
        (refused,) = connection.ask(octets)
        assert refused.code == 12
        assert (oid in refused.text) == (not oid.startswith("x"))
        assert len(refused.text) < 200


@pytest.mark.parametrize("control", [paged(5), sort("cn"), view(0, 1, 1)], ids=["paged", "sort", "view"])
def test_controls_of_other_operations(house: House, control: bytes) -> None:
    """What means nothing to a Compare is unknown to it."""
    connection = house.connect("jane.smith@avon")
    (refused,) = connection.ask(support.compare(2, BASE, "dc", "cjsm", control))
    assert refused.code == 12
    (done,) = connection.ask(support.compare(2, BASE, "dc", "cjsm", control.replace(b"\x01\x01\xff", b"\x01\x01\x00")))
    assert done.code == 6


@pytest.mark.parametrize(
    ("oid", "value"),
    [
        (support.PAGED_RESULTS, None),
        (support.PAGED_RESULTS, b""),
        (support.PAGED_RESULTS, b"\x30\x03\x02\x01\x05"),
        (support.PAGED_RESULTS, b"\x30\x05\x02\x01\xff\x04\x00"),
        (support.PAGED_RESULTS, b"\x30\x05\x02\x01\x05\x04\x00\x00"),
        (support.SORT, b"\x30\x00"),
        (support.SORT, b"\x30\x05\x30\x03\x04\x01\xff"),
        (support.SORT, b"\x30\x04\x30\x02\x80\x00"),
        (support.VIRTUAL_LIST, b"\x30\x06\x02\x01\x00\x02\x01\x00"),
        (support.VIRTUAL_LIST, b"\x30\x0a\x02\x01\x00\x02\x01\x00\xa1\x02\x04\x00"),
        (support.VIRTUAL_LIST, b"\x30\x09\x02\x01\x00\x02\x01\x00\x81\x01\xff"),
        (support.ASSERTION, b"\x87\x02c"),
        (support.ASSERTION, present("cn") + b"\0"),
    ],
)
@pytest.mark.parametrize("critical", [True, False])
def test_values_without_sense(house: House, oid: str, value: bytes | None, critical: bool) -> None:
    """One request is refused with 2; the connection goes on."""
    connection = house.connect("jane.smith@avon")
    control = support.control(oid, critical=critical, value=value)
    (refused,) = connection.ask(support.search(2, _MANY, controls=[control]))
    assert (refused.code, refused.controls) == (2, {})
    assert connection.ask(support.search(3, _MANY))[-1].code == 4


def test_too_much(house: House) -> None:
    """Keys, names, values and assertions have limits, each answered with 11; the same control twice has no sense."""
    connection = house.connect("jane.smith@avon")
    for control in (
        sort(*["cn"] * 6),
        sort("x" * 5_000),
        view(0, 1, "x" * 5_000),
        asserted(either(*[present("cn")] * 200)),
    ):
        (refused,) = connection.ask(support.search(2, _MANY, controls=[control]))
        assert refused.code == 11
    (refused,) = connection.ask(support.search(2, _MANY, controls=[sort("cn"), sort("cn")]))
    assert refused.code == 2


# How much an account is given.


def test_entries_are_rationed() -> None:
    """A burst passes; then the account waits, on every connection, is told how long, and others go on."""
    house = House(many(), entries_per_hour=250, entries_per_day=100_000)
    connection, second = house.connect("jane.smith@avon"), house.connect("jane.smith@avon")
    for each in (connection, second, connection):
        assert len(each.ask(support.search(2, _MANY))) == 101
    for each in (connection, second):
        (refused,) = each.ask(support.search(2, equal("uid", "jane.smith")))
        assert refused.code == 11
        assert "try again in" in refused.text
        assert "minutes" in refused.text
    assert len(house.connect("bob.muller@avon").ask(support.search(2, _MANY))) == 101
    for _ in range(2):
        house.clock.advance(300)
        (refused,) = connection.ask(support.search(2, _MANY))
        assert refused.code == 11
    house.clock.advance(300)
    assert len(connection.ask(support.search(2, equal("uid", "jane.smith")))) == 2


def test_entries_are_rationed_by_the_day() -> None:
    """Whoever takes less in an hour still does not list everybody; 0 is no limit."""
    house = House(many(), entries_per_hour=0, entries_per_day=1_000, idle=100_000, session=1_000_000)
    house.directory.stop()
    connection = house.connect("jane.smith@avon")
    given = 0
    for _ in range(24):
        while (answer := connection.ask(support.search(2, _MANY)))[-1].code == 4:
            given += len(answer) - 1
        house.clock.advance(3_600)
    assert 1_900 < given < 2_200
    free = House(many(), entries_per_hour=0, entries_per_day=0).connect("jane.smith@avon")
    assert {len(free.ask(support.search(2, _MANY))) for _ in range(50)} == {101}


def test_views_and_pages_are_rationed_too() -> None:
    """Whichever way somebody lists everybody."""
    house = House(many(), entries_per_hour=150)
    connection = house.connect("jane.smith@avon")
    found = 0
    for offset in range(1, 300, 20):
        answer = connection.ask(support.search(2, _MANY, controls=[sort("cn"), view(0, 19, offset)]))
        found += len(answer) - 1
    assert answer[-1].code == 11
    assert found <= 170


def test_administrators_list_what_is_theirs() -> None:
    """Entries in one's charge do not count; those of others do."""
    house = House(many(), entries_per_hour=5)
    connection = house.connect("ada.admin@avon")
    for _ in range(4):
        assert len(connection.ask(support.search(2, _MANY))) == 301
    law = support.search(2, equal("objectClass", "person"), base=f"o=law-firm,{BASE}")
    answers = [connection.ask(law)[-1].code for _ in range(4)]
    assert answers[0] == 0
    assert answers[-1] == 11


def test_what_is_given_and_not_taken_counts() -> None:
    """Abandoning a search does not give its entries back."""
    house = House(many(), entries_per_hour=100)
    connection = house.connect("jane.smith@avon")
    slow = either(_MANY, *[begins("description", f"no{count}") for count in range(90)])
    for number_ in range(2, 60):
        connection.send(support.search(number_, slow))
        house.clock.advance(0)
        connection.send(support.abandon(99, number_))
    connection.ask(b"")
    (refused,) = connection.ask(support.search(2, _MANY))
    assert refused.code == 11
