"""What the directory says of people, organisations, lists and shared mailboxes."""

import uuid

import msgspec

from cjsm.community.identifiers import AccountId
from cjsm.community.records import Life, SharedMailbox
from cjsm.directory import names
from cjsm.directory.query import Equal, Present, Scope
from cjsm.directory.reading import Reading
from cjsm.directory.selection import attributes, selected
from tests.directory.support import (
    ADA,
    AVON,
    BASE,
    COMMUNITY,
    HELP,
    JANE,
    LOU,
    catalogue,
    first_names,
    number,
    person,
    reading,
    records,
    search,
)

_JANE = f"uid=jane.smith,ou=crime,o=avon-police,{BASE}"


def shown(seen: Reading, dn: str, *requested: str) -> dict[str, tuple[str, ...]]:
    """What *seen* returns for one entry."""
    position = seen.find(names.parse(dn))
    return {name: tuple(values) for name, values in attributes(seen, position, selected(seen.schema, requested))}


def test_a_person_as_another_member_sees_her() -> None:
    """Public attributes, the organisation in the display name, one address, the ordinary address never."""
    assert shown(reading(LOU), _JANE) == {
        "objectClass": ("top", "person", "organizationalPerson", "inetOrgPerson", "cjsmMailbox"),
        "cn": ("Jane Smith",),
        "sn": ("Smith",),
        "givenName": ("Jane",),
        "displayName": ("Smith, Jane (Avon Police \N{EN DASH} Crime)",),
        "mail": ("jane.smith@avon.cjsm.test",),
        "uid": ("jane.smith", "jane.smith@avon"),
        "o": ("Avon Police",),
        "ou": ("Crime",),
        "description": ("Detective",),
        "street": ("1 High Street",),
        "postalAddress": ("1 High Street$Bristol$BS1 1AA",),
        "l": ("Bristol",),
        "postalCode": ("BS1 1AA",),
        "telephoneNumber": ("+44 117 496 0001",),
        "cjsmArea": ("Avon",),
    }


def test_colleagues_see_internal_attributes_and_administrators_states() -> None:
    """Attribute classes follow who reads."""
    assert "mobile" in shown(reading(JANE), _JANE)
    assert "cjsmLocked" not in shown(reading(JANE), _JANE)
    assert shown(reading(ADA), _JANE, "cjsmAccountStatus", "cjsmLocked") == {
        "cjsmAccountStatus": ("Active",),
        "cjsmLocked": ("FALSE",),
    }


def test_operational_attributes() -> None:
    """They come when asked for, by name or with ``+``."""
    found = shown(reading(LOU), _JANE, "+")
    assert found == {
        "entryUUID": (str(uuid.UUID(bytes=JANE)),),
        "entryDN": (_JANE,),
        "createTimestamp": ("20231114221320Z",),
        "modifyTimestamp": ("20231114221320Z",),
        "structuralObjectClass": ("inetOrgPerson",),
        "subschemaSubentry": ("cn=subschema",),
        "hasSubordinates": ("FALSE",),
        "numSubordinates": ("0",),
    }


def test_the_flat_context_has_the_same_people() -> None:
    """The whole user ID names them there; their entryUUID is another and stays the same."""
    dn = "uid=jane.smith@avon,o=people"
    first, second = shown(reading(LOU), dn, "*", "entryUUID"), shown(reading(LOU), dn, "*", "entryUUID")
    assert first == second
    assert first["mail"] == ("jane.smith@avon.cjsm.test",)
    assert first["entryUUID"] != (str(uuid.UUID(bytes=JANE)),)


def test_subordinates_are_counted_as_the_reader_sees_them() -> None:
    """A suspended colleague does not show, not even in a number."""
    crime = f"ou=crime,o=avon-police,{BASE}"
    assert shown(reading(LOU), crime, "numSubordinates") == {"numSubordinates": ("3",)}
    assert shown(reading(ADA), crime, "numSubordinates") == {"numSubordinates": ("5",)}
    fraud = f"ou=fraud,{crime}"
    assert shown(reading(LOU), fraud, "hasSubordinates") == {"hasSubordinates": ("FALSE",)}
    assert shown(reading(JANE), fraud, "hasSubordinates") == {"hasSubordinates": ("TRUE",)}


def test_an_alias_is_answered_under_the_name_asked_for() -> None:
    """One attribute comes once; its own name wins over an alias."""
    assert shown(reading(LOU), _JANE, "COMPANY") == {"company": ("Avon Police",)}
    assert shown(reading(LOU), _JANE, "company", "o", "organizationName") == {"o": ("Avon Police",)}


def test_attribute_lists() -> None:
    """Unknown names are ignored, ``1.1`` is none, subtypes come with their supertype, options have no values."""
    assert shown(reading(LOU), _JANE, "1.1") == {}
    assert shown(reading(LOU), _JANE, "userCertificate;binary", "sn;lang-de", "jpegPhoto") == {}
    assert shown(reading(LOU), _JANE, "sn;binary") == {"sn": ("Smith",)}
    assert set(shown(reading(LOU), _JANE, "name")) == {"cn", "sn", "givenName", "o", "ou", "l"}


def test_organisations_lists_and_shared_mailboxes() -> None:
    """They are entries of their own, each with its kind."""
    seen = reading(JANE)
    assert shown(seen, f"ou=crime,o=avon-police,{BASE}", "ou", "displayName") == {
        "ou": ("crime", "Crime"),
        "displayName": ("Avon Police \N{EN DASH} Crime",),
    }
    assert shown(seen, f"cn=duty-desk,ou=crime,o=avon-police,{BASE}", "displayName", "mail") == {
        "displayName": ("Duty Desk (Avon Police \N{EN DASH} Crime)",),
        "mail": ("duty-desk@avon.cjsm.test",),
    }
    entry = f"cn=all-crime,o=avon-police,{BASE}"
    assert "rfc822MailMember" not in shown(seen, entry)
    assert shown(reading(ADA), entry, "rfc822MailMember") == {"rfc822MailMember": ("jane.smith@avon.cjsm.test",)}


def test_the_ordinary_address_is_nowhere() -> None:
    """Not even for the community's administrator."""
    made = catalogue()
    seen = Reading(made, COMMUNITY)
    for position in made.positions():
        for _, values in attributes(seen, position, selected(seen.schema, ("*", "+"))):
            assert not any("outside.example" in value for value in values)
    assert search(seen, Equal("mail", "Jane@outside.example")) == []


def test_every_value_is_of_an_attribute_that_its_class_allows() -> None:
    """Clients that check entries against the schema accept all of them."""
    made = catalogue()
    classes = " ".join(made.schema.texts["objectclass"])
    for position in made.positions():
        for name in made.entry(position).values()["objectclass"]:
            assert f"'{name}'" in classes


def test_siblings_with_one_name_are_told_apart() -> None:
    """Two people whose user IDs differ only after ``@`` may be in one organisation."""
    again = person(AccountId(number(500)), AVON, "bob.muller@law", "Bob", "Other")
    assert len(set(search(reading(ADA, again), Present("uid"), base=f"o=avon-police,{BASE}", scope=Scope.ONE))) == 3


def test_a_deleted_shared_mailbox() -> None:
    """Is there for administrators alone, who see that it is deleted, and since when."""
    (desk,) = [found for found in records() if isinstance(found, SharedMailbox)]
    gone = msgspec.structs.replace(desk, life=Life.DELETED, state_since=86_400)
    dn = f"cn=duty-desk,ou=crime,o=avon-police,{BASE}"
    assert "cjsmAccountStatus" not in shown(reading(ADA), dn)
    for reader in (JANE, LOU):
        assert first_names(search(reading(reader), Equal("cn", "Duty Desk"))) == ["cn=duty-desk"]
        assert search(reading(reader, [gone]), Equal("cn", "Duty Desk")) == []
        assert search(reading(reader, [gone]), Equal("mail", "duty-desk@avon.cjsm.test")) == []
    for reader in (ADA, HELP, COMMUNITY):
        found = shown(reading(reader, [gone]), dn)
        assert found["cjsmAccountStatus"] == ("Deleted",)
        assert search(reading(reader, [gone]), Equal("cjsmAccountStatus", "Deleted"))
    assert shown(reading(ADA, [gone]), dn, "modifyTimestamp") == {"modifyTimestamp": ("19700102000000Z",)}
