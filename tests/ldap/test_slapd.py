"""The same questions to a real slapd with the same entries: equal names, values and result codes, or a reason.

By default 5,000 questions are asked; ``CJSM_LDAP_QUESTIONS=100000`` asks more, and ``CJSM_LDAP_SEED=2`` others. A
failure names its seed and the question's number.
"""

import base64
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
import pytest
from msgspec import Struct

from cjsm.community.identifiers import AccountId, OrganisationId
from cjsm.community.records import Account, AddressRecord, Record
from cjsm.directory import names, schema
from cjsm.directory.folding import fold
from cjsm.directory.matching import Rule
from cjsm.directory.reading import Reading
from cjsm.ldap.grammar.ber import OCTETS, SEQUENCE, element
from cjsm.ldap.grammar.framing import Framer
from tests.directory.support import AVON, BASE, COMMUNITY, CRIME, FRAUD, LAW, number, organisation, person, records
from tests.ldap import support
from tests.ldap.house import Connection, House
from tests.ldap.questions import Asker, Known, Question
from tests.ldap.support import Found, Result, equal, present
from tests.peers.processes import needs
from tests.peers.slapd import PROGRAMS, as_slapd_schema, running_slapd

_QUESTIONS = int(os.environ.get("CJSM_LDAP_QUESTIONS", "5000"))
_SEED = int(os.environ.get("CJSM_LDAP_SEED", "20261129"))
_SCHEMA = schema.load()


def people() -> list[Record]:
    """The usual community without second addresses, which match here without being shown, and more people in it."""
    given = ("Zoë", "Ann", "Anne Marie", "JOSÉ", "Åsa", "Siân", "O'Neil", "Jean-Luc", "Σοφία", "Ivan", "jo", "X")
    family = ("Smith", "smith-jones", "Van  der Berg", "Müller", "Straße", "Ó Briain", "Li", "de la Cruz", "Ng", "Bond")
    made: list[Record] = [
        organisation(OrganisationId(number(40)), LAW, "it-support", "IT, Support + Help"),
        organisation(OrganisationId(number(41)), CRIME, "cold-cases", 'The "Cold" Cases; #1'),
    ]
    homes = (AVON, CRIME, FRAUD, LAW, OrganisationId(number(40)), OrganisationId(number(41)))
    for each in range(36):
        first, last = given[each % len(given)], family[each % len(family)]
        made += person(
            AccountId(number(6000 + each)),
            homes[each % len(homes)],
            f"p{each}.x{each % 5}@{('avon', 'law')[each % 6 in (3, 4)]}",
            first,
            last,
            telephone=("", "44 117 496 0001", "0117-4960001", "0117 496-0002", "12")[each % 5],
            mobile=("", "07700 900001", "44 7700 900 002")[each % 3],
            town=("", "Bristol", "London", "Stoke on Trent", "Llanfairpwll")[each % 5],
            postcode=("", "BS1 1AA", "bs1 1aa", "SW1A 1AA")[each % 4],
            address1=("", "1 High Street", "2 Back\\slash Lane", "3 Dollar$ Road")[each % 4],
            description=("", "Detective", "a (small) * note", "first, second; third")[each % 4],
            area=("", "Avon", "London")[each % 3],
            locked=each % 7 == 0,
            ex_directory=each % 9 == 0,
            created=1_700_000_000 + each // 3,
        )
    usual = [record for record in records() if not (isinstance(record, AddressRecord) and record.alias)]
    return [_without_plus(record) for record in usual] + made


def _without_plus(record: Record) -> Record:
    """Telephone numbers are compared by their digits here, and there by all but spaces and hyphens."""
    if not isinstance(record, Account):
        return record
    profile = msgspec.structs.replace(record.profile, telephone=record.profile.telephone.replace("+", ""))
    return msgspec.structs.replace(record, profile=profile)


def as_ldif(reading: Reading, positions: Iterable[int]) -> str:
    """Return a part of the directory as slapd loads it."""
    lines: list[str] = []
    for position in positions:
        lines.append(f"dn:: {_base64(reading.dn(position))}")
        for attribute in _SCHEMA.attributes:
            if attribute.key not in _MADE_BY_SERVERS:
                values = reading.values(position, attribute)
                lines += [f"{attribute.names[0]}:: {_base64(value)}" for value in values]
        lines.append("")
    return "\n".join(lines)


_MADE_BY_SERVERS = frozenset(
    ("entrydn", "hassubordinates", "numsubordinates", "subschemasubentry", "structuralobjectclass")
)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def tree_order(reading: Reading) -> list[int]:
    """Return all positions, those above before those below."""
    return sorted(reading.catalogue.positions(), key=lambda position: len(names.parse(reading.dn(position))))


class Slapd:
    """One connection to slapd."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._framer = Framer(16 * 1024 * 1024)

    def ask(self, octets: bytes) -> list[Any]:
        """Send a search and return its answers."""
        self._socket.sendall(octets)
        found: list[Any] = []
        while not (found and isinstance(found[-1], Result)):
            while (message := self._framer.next_message()) is None:
                received = self._socket.recv(262_144)
                assert received, "slapd hung up"
                self._framer.feed(received)
            found += support.answers(message)
        return found

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


class Answer(Struct, frozen=True):
    """What came: the last result, the entries, and how many were on each page."""

    code: int
    matched: names.Name
    entries: list[Found]
    pages: list[int]

    def named(self) -> dict[names.Name, Found]:
        """The entries by name."""
        return {names.parse(entry.dn): entry for entry in self.entries}


def answer(ask: Callable[[bytes], list[Any]], question: Question, *, size: int | None = None) -> Answer:
    """Ask, page after page."""
    entries: list[Found] = []
    pages: list[int] = []
    cookie = b""
    while True:
        *found, done = ask(question.octets(2, cookie, size=size))
        entries += found
        pages.append(len(found))
        cookie = done.cookie if support.PAGED_RESULTS in done.controls else b""
        if not cookie:
            return Answer(done.code, names.parse(done.matched), entries, pages)


@pytest.fixture(scope="module")
def house() -> House:
    return House(base=people(), administrator_entries=100_000, entries_per_hour=0, filter_elements=10_000)


@pytest.fixture(scope="module")
def reading(house: House) -> Reading:
    """What somebody sees who sees everything."""
    return house.directory.reading(COMMUNITY)


@pytest.fixture(scope="module")
def ours(house: House) -> Connection:
    return house.connect("carl.community@law")


@pytest.fixture(scope="module")
def theirs(reading: Reading) -> Iterator[Slapd]:
    needs(*PROGRAMS)
    below: dict[bool, list[int]] = {True: [], False: []}
    for position in tree_order(reading):
        below[names.parse(reading.dn(position))[-1] == (("o", "people"),)].append(position)
    trees = {BASE: as_ldif(reading, below[False]), "o=people": as_ldif(reading, below[True])}
    with running_slapd(as_slapd_schema(schema.read_text()), trees) as port:
        connection = Slapd(port)
        yield connection
        connection.close()


@pytest.fixture(scope="module")
def known(reading: Reading) -> Known:
    positions = tree_order(reading)
    values: dict[str, list[str]] = {}
    for attribute in _SCHEMA.attributes:
        found = sorted({value for position in positions for value in reading.values(position, attribute)})
        if found:
            values |= {name.lower(): found for name in (*attribute.names, attribute.oid)}
    return Known(names=[reading.dn(position) for position in positions], values=values)


def as_slapd_can(question: Question) -> Question:
    """Its sorted pages end with "busy" now and then: it is asked for all at once."""
    return msgspec.structs.replace(question, page=0) if question.sort else question


def differences(question: Question, ours: Answer, theirs: Answer) -> list[str]:
    """Return in what two answers differ."""
    told = []
    if ours.code != theirs.code:
        told.append(f"code {ours.code}, slapd {theirs.code}")
    if ours.code == theirs.code == 32 and ours.matched != theirs.matched:
        told.append(f"matched {ours.matched}, slapd {theirs.matched}")
    if question.size and 4 in (ours.code, theirs.code):
        if len(ours.entries) != len(theirs.entries):
            told.append(f"{len(ours.entries)} entries, slapd {len(theirs.entries)}")
        return told
    mine, other = ours.named(), theirs.named()
    told += [f"only here: {mine[name].dn}" for name in mine.keys() - other.keys()]
    told += [f"only slapd: {other[name].dn}" for name in other.keys() - mine.keys()]
    if not told and ours.pages != theirs.pages and not question.sort:
        told.append(f"pages {ours.pages}, slapd {theirs.pages}")
    for name in mine.keys() & other.keys():
        told += [f"{mine[name].dn}: {difference}" for difference in _values(mine[name], other[name])]
    return told


def _values(mine: Found, other: Found) -> Iterator[str]:
    here, there = _by_key(mine), _by_key(other)
    for key in here.keys() | there.keys():
        if here.get(key) != there.get(key):
            yield f"{key} {here.get(key)}, slapd {there.get(key)}"


def _by_key(entry: Found) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, values in entry.attributes.items():
        attribute = _SCHEMA.attribute(name)
        if attribute is None or attribute.key == "numsubordinates":
            continue
        prepared = [value.lower() for value in values] if attribute.rule is Rule.NAME else values
        assert attribute.key not in found
        found[attribute.key] = sorted(prepared)
    return found


def out_of_order(question: Question, ours: Answer, theirs: Answer, reading: Reading) -> bool:
    """Whether two sorted answers with the same entries have them in an order that is not the same but for equals."""

    def keys(found: Answer) -> list[list[str]]:
        return [[_least(reading, entry.dn, key) for key in question.sort] for entry in found.entries]

    return keys(ours) != keys(theirs)


def _least(reading: Reading, dn: str, key: str) -> str:
    position = reading.catalogue.position(names.parse(dn))
    attribute = _SCHEMA.attribute(key.removeprefix("-").partition(":")[0])
    assert position is not None
    assert attribute is not None
    return min((fold(value) for value in reading.values(position, attribute)), default="none")


def test_generated_questions(ours: Connection, theirs: Slapd, known: Known, reading: Reading) -> None:
    """Whatever is asked, both answer alike; what they do not answer alike is not asked but told below."""
    asker = Asker(known, _SEED)
    wrong: list[str] = []
    for each in range(_QUESTIONS):
        question = asker.question()
        mine, other = answer(ours.ask, question), answer(theirs.ask, as_slapd_can(question))
        told = differences(question, mine, other)
        if not told and question.sort and not question.size and out_of_order(question, mine, other, reading):
            told.append("another order")
        if told:
            wrong.append(f"seed {_SEED}, question {each}: {question}: {'; '.join(told[:4])}")
    assert not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong[:20])


class Difference(Struct, frozen=True, kw_only=True):
    """Something that is answered in another way on purpose.

    :ivar ours: result code and number of entries here, *theirs* there.
    """

    reason: str
    filter: bytes
    ours: tuple[int, int]
    theirs: tuple[int, int]
    base: str = BASE
    scope: int = 2


def _like(attribute: str, pieces: bytes) -> bytes:
    return element(0xA4, element(OCTETS, attribute.encode()) + element(SEQUENCE, pieces))


def _by_rule(attribute: str, rule: str, value: str) -> bytes:
    return element(
        0xA9, element(0x81, rule.encode()) + element(0x82, attribute.encode()) + element(0x83, value.encode())
    )


def _not(inner: bytes) -> bytes:
    return element(0xA2, inner)


_ALL = 59
#: The whole list; docs/specifications/doors.md tells it to others.
INTENDED = (
    Difference(
        reason="an empty base stands for the community's own tree: clients that do not know it find people at once",
        filter=equal("uid", "jane.smith"),
        base="",
        ours=(0, 1),
        theirs=(32, 0),
    ),
    Difference(
        reason="telephone numbers compare by their digits, as people write them in every way (RFC 4517 §4.2.29 leaves"
        " out spaces and hyphens only)",
        filter=equal("telephoneNumber", "+44 (117) 496.0001"),
        ours=(0, 8),
        theirs=(0, 0),
    ),
    Difference(
        reason="what has no digits is no telephone number, so that it and its negation are undefined",
        filter=_not(equal("telephoneNumber", "smith")),
        ours=(0, 0),
        theirs=(0, _ALL),
    ),
    Difference(
        reason="letters compare under full case folding: ss and sharp s are one",
        filter=_like("sn", element(0x80, b"STRASSE")),
        ours=(0, 4),
        theirs=(0, 0),
    ),
    Difference(
        reason="a piece of nothing but spaces is in every value (RFC 4518 §2.6.1)",
        filter=_like("sn", element(0x81, b"  ")),
        ours=(0, 49),
        theirs=(0, 12),
    ),
    Difference(
        reason="spaces before a piece match the beginning of a value (RFC 4518 §2.6.1)",
        filter=_like("uid", element(0x81, b" jane.s")),
        ours=(0, 1),
        theirs=(0, 0),
    ),
    Difference(
        reason="truth values are written without regard to case: strings of ABNF have none (RFC 4517 §3.3.3)",
        filter=equal("hasSubordinates", "true"),
        ours=(0, 9),
        theirs=(0, 0),
    ),
    Difference(
        reason="an address may have letters beyond ASCII (RFC 6531), so that one with them is no undefined value",
        filter=_not(equal("mail", "zoë@avon.cjsm.test")),
        ours=(0, 59),
        theirs=(0, 0),
    ),
    Difference(
        reason="the option binary means nothing where there is nothing else than text, and some clients always add it",
        filter=present("mail;binary"),
        ours=(0, 50),
        theirs=(0, 0),
    ),
    Difference(
        reason="approximate is equal: what sounds alike is no name of the person that was meant",
        filter=b"\xa8" + equal("sn", "Smyth")[1:],
        ours=(0, 0),
        theirs=(0, 10),
    ),
    Difference(
        reason="names that clients use for an attribute are its names: company, mailNickname, info",
        filter=equal("mailNickname", "jane.smith"),
        ours=(0, 1),
        theirs=(0, 0),
    ),
    Difference(
        reason="Outlook's ambiguous name resolution is known",
        filter=equal("anr", "jane smi"),
        ours=(0, 1),
        theirs=(0, 0),
    ),
    Difference(
        reason="a structural object class is that one and none above it (RFC 4512 §3.4.7)",
        filter=equal("structuralObjectClass", "person"),
        ours=(0, 0),
        theirs=(0, 49),
    ),
    Difference(
        reason="the rule that is an attribute's own may be named (RFC 4511 §4.5.1.7.7); there not with object classes",
        filter=_by_rule("objectClass", "objectIdentifierMatch", "person"),
        ours=(0, 49),
        theirs=(0, 0),
    ),
    Difference(
        reason="rules for the same kind of text are taken for each other",
        filter=_by_rule("sn", "caseIgnoreIA5Match", "smith"),
        ours=(0, 6),
        theirs=(0, 0),
    ),
    Difference(
        reason="how many entries are below one is told and can be asked for; there is no such attribute there",
        filter=equal("numSubordinates", "0"),
        ours=(0, 50),
        theirs=(0, 0),
    ),
    Difference(
        reason="there are no passwords in this directory, and nothing can be known of them",
        filter=_not(present("userPassword")),
        ours=(0, 0),
        theirs=(0, _ALL),
    ),
)


@pytest.mark.parametrize("difference", INTENDED, ids=lambda difference: difference.reason[:40])
def test_intended_differences(ours: Connection, theirs: Slapd, difference: Difference) -> None:
    """Each is as the table says, here and there."""
    octets = support.search(2, difference.filter, base=difference.base, scope=difference.scope, attributes=["1.1"])
    for ask, expected in ((ours.ask, difference.ours), (theirs.ask, difference.theirs)):
        *entries, done = ask(octets)
        assert (done.code, len(entries)) == expected, difference.reason


@pytest.mark.parametrize(
    ("attribute", "value", "found"),
    [
        ("mail", "", _ALL),
        ("rfc822MailMember", "", _ALL),
        ("sn", "", 0),
        ("mail", "  ", _ALL),
        ("sn", "  ", _ALL),
        ("displayName", " ", _ALL),
    ],
)
def test_values_without_characters(ours: Connection, theirs: Slapd, attribute: str, value: str, found: int) -> None:
    """Nothing has them; a name without any at all is no name, so that its negation is undefined too (RFC 4517 §3.3)."""
    by_rule = _by_rule(
        attribute, "caseIgnoreMatch" if attribute in ("sn", "displayName") else "caseIgnoreIA5Match", value
    )
    none = (equal(attribute, value), by_rule)
    for filter_, entries in (*((each, 0) for each in none), *((_not(each), found) for each in none)):
        octets = support.search(2, filter_, base=BASE, attributes=["1.1"])
        assert [len(ask(octets)) - 1 for ask in (ours.ask, theirs.ask)] == [entries, entries]


def test_what_is_answered_under_another_name(ours: Connection, theirs: Slapd) -> None:
    """An attribute comes under the name that it was asked for by: some clients look for no other."""
    octets = support.search(2, equal("uid", "jane.smith"), base=BASE, attributes=["surname", "rfc822Mailbox"])
    for ask, expected in ((ours.ask, {"surname", "rfc822Mailbox"}), (theirs.ask, {"sn", "mail"})):
        assert set(ask(octets)[0].attributes) == expected


def test_an_address_that_is_not_shown_matches() -> None:
    """A person's further addresses find the person (slapd knows no values that are not shown)."""
    asked = support.search(2, equal("mail", "jane.jones@avon.cjsm.test"), attributes=["mail"])
    entry, _ = House().connect("bob.muller@avon").ask(asked)
    assert entry.attributes["mail"] == ["jane.smith@avon.cjsm.test"]
