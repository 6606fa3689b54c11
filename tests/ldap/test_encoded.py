"""Encoded entries: remembered by what is returned, not by what was asked for, and within bounds."""

from cjsm.directory.reading import Reading
from cjsm.ldap.encoded import _SHELF_OCTETS, EncodedEntries

from ..directory.support import BOB, JANE, catalogue

PERSON = next(at for at, entry in enumerate(catalogue().entries) if entry.dn.startswith("uid="))


def test_remembered_by_what_is_returned() -> None:
    """A list of attributes that do not exist is as good as none; another spelling is another answer."""
    reading = Reading(catalogue(), JANE)
    encoded = EncodedEntries()
    plain = encoded.encoder(reading, ("cn", "mail"), types_only=False)
    first = plain.encode(PERSON)
    for number in range(100):
        requested = ("cn", f"x{number}-" + "y" * 2_000, "mail")
        assert encoded.encoder(reading, requested, types_only=False).encode(PERSON) is first
    assert encoded._octets == _SHELF_OCTETS + len(first)
    assert encoded.encoder(reading, ("commonName", "mail"), types_only=False).encode(PERSON) != first
    assert encoded.encoder(reading, ("cn", "mail"), types_only=True).encode(PERSON) != first


def test_readers_of_other_rights_get_other_entries() -> None:
    """What is remembered for one is not given to another who may see less."""
    encoded, newest = EncodedEntries(), catalogue()
    for position in range(len(newest.entries)):
        for account in (JANE, BOB):
            reading = Reading(newest, account)
            alone = EncodedEntries().encoder(reading, (), types_only=False).encode(position)
            assert encoded.encoder(reading, (), types_only=False).encode(position) == alone


def test_bounds() -> None:
    """Beyond so many octets all are forgotten; a search on its way goes on."""
    reading = Reading(catalogue(), JANE)
    encoded = EncodedEntries(most=3 * _SHELF_OCTETS)
    names = ("cn", "sn", "mail", "o", "ou", "title", "uid", "description")
    encoders = [encoded.encoder(reading, (name,), types_only=False) for name in names]
    assert encoded._octets <= 3 * _SHELF_OCTETS
    assert len(encoded._shelves) <= 3
    assert all(one.encode(PERSON) for one in encoders)


def test_an_old_catalogue_leaves_the_newest_alone() -> None:
    """A search that began before a change neither uses nor spoils what is remembered."""
    newest = catalogue()
    old = catalogue()
    encoded = EncodedEntries()
    newest.number = old.number + 1
    kept = encoded.encoder(Reading(newest, JANE), ("cn",), types_only=False).encode(PERSON)
    assert encoded.encoder(Reading(old, JANE), ("cn",), types_only=False).encode(PERSON) is not kept
    assert encoded.encoder(Reading(newest, JANE), ("cn",), types_only=False).encode(PERSON) is kept
