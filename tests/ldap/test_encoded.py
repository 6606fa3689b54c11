"""Encoded entries: remembered by what is returned, not by what was asked for, and within bounds."""

from msgspec import structs

from cjsm.directory.catalogue import Catalogue
from cjsm.directory.drafting import Draft
from cjsm.directory.entries import made
from cjsm.directory.loading import finished
from cjsm.directory.reading import Reading
from cjsm.ldap.encoded import _ENTRY_OCTETS, _SHELF_OCTETS, EncodedEntries

from ..directory.support import BOB, JANE, catalogue

PERSON = next(at for at in catalogue().positions() if catalogue().dn(at).startswith("uid="))


def test_remembered_by_what_is_returned() -> None:
    """A list of attributes that do not exist is as good as none; another spelling is another answer."""
    newest = catalogue()
    reading = Reading(newest, JANE)
    encoded = EncodedEntries()
    plain = encoded.encoder(reading, ("cn", "mail"), types_only=False)
    (first,) = plain.encode((PERSON,))
    for number in range(100):
        requested = ("cn", f"x{number}-" + "y" * 2_000, "mail")
        assert encoded.encoder(reading, requested, types_only=False).encode((PERSON,))[0] is first
    assert encoded._octets == _SHELF_OCTETS + _ENTRY_OCTETS + len(first)
    assert encoded.encoder(reading, ("commonName", "mail"), types_only=False).encode((PERSON,)) != [first]
    assert encoded.encoder(reading, ("cn", "mail"), types_only=True).encode((PERSON,)) != [first]


def test_readers_of_other_rights_get_other_entries() -> None:
    """What is remembered for one is not given to another who may see less."""
    encoded, newest = EncodedEntries(), catalogue()
    for position in newest.positions():
        for account in (JANE, BOB):
            reading = Reading(newest, account)
            alone = EncodedEntries().encoder(reading, (), types_only=False).encode((position,))
            assert encoded.encoder(reading, (), types_only=False).encode((position,)) == alone


def test_bounds() -> None:
    """Beyond so many octets all are forgotten; a search on its way goes on."""
    reading = Reading(catalogue(), JANE)
    encoded = EncodedEntries(most=3 * _SHELF_OCTETS)
    names = ("cn", "sn", "mail", "o", "ou", "title", "uid", "description")
    encoders = [encoded.encoder(reading, (name,), types_only=False) for name in names]
    assert encoded._octets <= 3 * _SHELF_OCTETS
    assert len(encoded._shelves) <= 3
    assert all(one.encode((PERSON,)) for one in encoders)


def test_what_changed_is_encoded_anew() -> None:
    """What stayed the same is not; a search that began before reads on what was."""
    before = catalogue()
    draft = Draft(before, suffix=before.suffix, schema=before.schema)
    entry = before.entry(PERSON)
    draft.put(made(entry.kind, entry.place, entry.identity, structs.replace(entry.listed, first_name="Joan")))
    after = finished(draft.finish(8))
    encoded = EncodedEntries()

    def encode(found: Catalogue, position: int) -> bytes:
        (octets,) = encoded.encoder(Reading(found, JANE), ("givenName",), types_only=False).encode((position,))
        return octets

    old = encode(before, PERSON)
    assert b"Joan" in encode(after, PERSON)
    assert encode(before, PERSON) is old
    other = next(at for at in before.positions() if at != PERSON)
    assert encode(after, other) is encode(before, other)
