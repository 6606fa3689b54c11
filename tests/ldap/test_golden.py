"""What clients really send, octet for octet, and what their users must find."""

import pytest

from tests.directory.support import BASE
from tests.ldap import support
from tests.ldap.house import GOLDEN, House, golden

_JANE = f"uid=jane.smith,ou=crime,o=avon-police,{BASE}"
_LOU = f"uid=lou.smith,o=law-firm,{BASE}"
_BOTH = [_JANE, _LOU]
_FLAT = ["uid=jane.smith@avon,o=people", "uid=lou.smith@law,o=people"]


@pytest.mark.parametrize(
    ("client", "names"),
    [
        ("outlook-search", _BOTH),
        ("outlook-older", _BOTH),
        ("outlook-check-names", _BOTH),
        ("outlook-anr", [_JANE]),
        ("thunderbird-complete", _BOTH),
        ("thunderbird-search", _BOTH),
        ("evolution-complete", _FLAT),
        ("macos-contacts", _BOTH),
        ("macos-mail", _BOTH),
        ("ios", _BOTH),
        ("claws-complete", _BOTH),
        ("claws-two-words", [_JANE]),
        ("mutt-lbdb", _BOTH),
        ("aerc", _BOTH),
        ("macos-words", _BOTH),
        ("roundcube-search", _BOTH),
        ("ldap3-page", _BOTH),
        ("ldap3-search", _BOTH),
    ],
)
def test_a_client_finds_people(client: str, names: list[str]) -> None:
    """Each client's own search finds who was meant, with an address and a name to show."""
    found = House().connect("bob.muller@avon").ask(golden(client))
    *entries, done = found
    assert done.code == 0, done
    assert [entry.dn for entry in entries] == names
    for entry in entries:
        assert entry.attributes["mail"][0].endswith(".cjsm.test")
        assert {"cn", "displayName"} & set(entry.attributes)


def test_every_recorded_search_is_tested() -> None:
    """And none leaves an error behind: each record is decoded and answered with success."""
    house = House()
    for path in sorted(GOLDEN.glob("*.hex")):
        done = house.connect("bob.muller@avon").ask(golden(path.stem))[-1]
        assert done.code == 0, (path.stem, done)
        house = House()


def test_outlook_signs_in_with_a_bare_name() -> None:
    """Lengths of four octets; no distinguished name."""
    (result,) = House().connect().ask(golden("outlook-bind"))
    assert (result.id, result.code) == (4, 0)


_LISTED = ["Duty Desk", "Helen Desk", "Jane Smith", "Lou Smith"]


def test_outlook_browses_its_address_book() -> None:
    """From the top, sorted by name, and told how long the list is; then where typed letters lead."""
    connection = House().connect("bob.muller@avon")
    *entries, done = connection.ask(golden("outlook-browse"))
    names = [entry.attributes["cn"][0] for entry in entries]
    assert [name for name in names if name in _LISTED] == _LISTED
    assert names == sorted(names)
    assert (done.code, done.sorted, done.view) == (0, (0, ""), (1, len(names), 0))
    *typed, done = connection.ask(golden("outlook-browse-typed"))
    assert typed[0].attributes["cn"] == ["Lou Smith"]
    assert done.view == (names.index("Lou Smith") + 1, len(names), 0)


def test_roundcube_lists_an_address_book() -> None:
    """A page at a time by a virtual list view; its limit is what is in it."""
    *entries, done = House().connect("bob.muller@avon").ask(golden("roundcube-list"))
    names = [entry.attributes["sn"][0].lower() for entry in entries]
    assert names == sorted(names)
    assert (done.code, done.view) == (0, (1, len(names), 0))


def test_ldap3_learns_what_there_is() -> None:
    """Signed in; the root in its own words, and a schema with every attribute that it will ask for."""
    connection = House().connect()
    assert connection.ask(golden("ldap3-bind").replace(b"jane.smith@avon", b"bob.muller@avon"))[0].code == 0
    root, _ = connection.ask(golden("ldap3-root"))
    assert root.attributes["supportedLDAPVersion"] == ["3"]
    described, _ = connection.ask(golden("ldap3-schema"))
    kinds = " ".join(described.attributes["attributeTypes"])
    *entries, _ = connection.ask(golden("ldap3-search"))
    assert all(f"'{name}'" in kinds for entry in entries for name in entry.attributes)


def test_an_identity_service_takes_along_what_it_may() -> None:
    """It looks for pages before it asks for them; a member's limit holds all the same."""
    connection = House(entries=3).connect("bob.muller@avon")
    root, _ = connection.ask(golden("probe-root"))
    assert support.PAGED_RESULTS in root.attributes["supportedControl"]
    assert "supportedCapabilities" not in root.attributes
    *entries, done = connection.ask(golden("probe-page"))
    assert (len(entries), done.code, done.cookie) == (3, 4, b"")
    assert {"entryUUID", "modifyTimestamp", "mail"} <= set(entries[0].attributes)
    *entries, done = House().connect("ada.admin@avon").ask(golden("probe-page"))
    assert (done.code, done.cookie) == (0, b"")


def test_evolution_takes_its_address_book_along() -> None:
    """Pages of a thousand, which it cannot do without."""
    *entries, done = House().connect("bob.muller@avon").ask(golden("evolution-offline"))
    assert len(entries) > 5
    assert (done.code, done.cookie) == (0, b"")


def test_outlook_gets_the_attributes_it_named() -> None:
    """Under names it knows; the unknown ones are left out."""
    entry = House().connect("bob.muller@avon").ask(golden("outlook-search"))[0]
    assert set(entry.attributes) == {
        "cn",
        "mail",
        "displayName",
        "sn",
        "o",
        "givenName",
        "objectClass",
        "uid",
        "telephoneNumber",
    }


def test_evolution_finds_its_way_from_the_root() -> None:
    """Root DSE with nothing named, then the schema entry that it points to."""
    connection = House().connect("bob.muller@avon")
    root, done = connection.ask(golden("evolution-root"))
    assert done.code == 0
    assert root.attributes["subschemaSubentry"] == ["cn=subschema"]
    described, _ = connection.ask(golden("evolution-subschema").replace(b"\x02\x01\x02", b"\x02\x01\x03", 1))
    assert any("inetOrgPerson" in text for text in described.attributes["objectClasses"])


def test_claws_reads_the_naming_contexts() -> None:
    """To offer them as search bases."""
    root, _ = House().connect().ask(golden("claws-root"))
    assert root.attributes == {"namingContexts": [BASE, "o=people"]}


def test_evolution_lists_an_address_book() -> None:
    """The control that it would like is not needed for that."""
    *entries, done = House().connect("bob.muller@avon").ask(golden("evolution-list"))
    assert done.code == 0
    assert len(entries) == 8


def test_thunderbird_takes_along_what_it_may() -> None:
    """Without a limit of its own it gets the server's most and is told that there is more."""
    *entries, done = House(entries=5).connect("bob.muller@avon").ask(golden("thunderbird-download"))
    assert len(entries) == 5
    assert done.code == 4
    assert "type more" in done.text


def test_one_octet_at_a_time() -> None:
    """A slow network makes no difference."""
    connection = House().connect("bob.muller@avon")
    for octet in golden("outlook-search"):
        connection.send(bytes((octet,)))
    assert [entry.dn for entry in connection.said()[:-1]] == _BOTH


def test_all_at_once() -> None:
    """Bind and searches in one piece are answered in order."""
    connection = House().connect()
    searches = b"".join(golden(name) for name in ("outlook-search", "outlook-older", "outlook-check-names"))
    answered = connection.ask(support.bind(1, "bob.muller@avon", b"secret") + searches)
    assert [answer.id for answer in answered] == [1, 5, 5, 5, 6, 6, 6, 7, 7, 7]
