"""Records are values whose stored form only grows."""

import typing

import msgspec
import pytest

from cjsm.community import records
from cjsm.community.records import Record
from tests.community.communities import records as made_by_hand

KINDS = typing.get_args(Record)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_values(kind: type) -> None:
    """Frozen, with names for every field."""
    assert kind.__struct_config__.frozen
    assert not kind.__struct_config__.array_like


def test_round_trip() -> None:
    """What is encoded is read again, for every kind that the community made by hand has."""
    for record in made_by_hand():
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(record), type=type(record)) == record


def test_older_records_read() -> None:
    """Every field that is not needed has a default: what an earlier version left out reads as before."""
    for record in made_by_hand():
        plain = msgspec.msgpack.decode(msgspec.msgpack.encode(record))
        needed = {field.name for field in msgspec.structs.fields(record) if field.required}
        least = {name: value for name, value in plain.items() if name in needed}
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(least), type=type(record))


def test_newer_records_read() -> None:
    """A field of a later version is passed over."""
    for record in made_by_hand():
        plain = msgspec.msgpack.decode(msgspec.msgpack.encode(record)) | {"field_of_tomorrow": 5}
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(plain), type=type(record)) == record


def test_fifteen_fields() -> None:
    """The form that organisations fill in: what the profile holds, and what is held elsewhere."""
    fields = {field.name for field in msgspec.structs.fields(records.Profile)}
    assert fields == {
        *("first_name", "last_name", "user_type", "address1", "address2", "town", "postcode", "telephone"),
        *("mobile", "description", "business_type", "area", "ordinary_email"),
    }
