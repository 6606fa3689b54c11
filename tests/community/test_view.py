"""Dates of addresses, and what records are found under."""

import pytest

from cjsm.community.view import address_delivers, address_is_reserved, record_key
from tests.community.communities import FIRM_CONNECTION, FIRM_DOMAIN, SUFFIX, address, community

OLD = address(f"jo.maiden@avon.{SUFFIX}", b"o" * 16, alias=True, delivers_until=100, reserved_until=200)


@pytest.mark.parametrize(
    ("moment", "delivers", "reserved"), [(99, True, True), (100, False, True), (199, False, True), (200, False, False)]
)
def test_former_addresses(moment: int, delivers: bool, reserved: bool) -> None:
    """Deliver for a while, stay reserved for longer, then anybody may have them."""
    assert (address_delivers(OLD, moment), address_is_reserved(OLD, moment)) == (delivers, reserved)
    view = community(OLD, moment=moment)
    assert (view.address(OLD.address) is not None, view.reserved_address(OLD.address) is not None) == (
        delivers,
        reserved,
    )


def test_addresses_without_dates() -> None:
    """Are for good; one without an end of its reservation is never given to another."""
    record = address(f"jo@avon.{SUFFIX}", b"o" * 16)
    assert address_delivers(record, 10**10)
    assert address_is_reserved(address("a@b.c", b"o" * 16, delivers_until=5), 10**10)


def test_keys() -> None:
    """Addresses and domains go by name, everything else by identifier."""
    assert record_key(OLD) == OLD.address
    assert record_key(FIRM_DOMAIN) == FIRM_DOMAIN.name
    assert record_key(FIRM_CONNECTION) == FIRM_CONNECTION.id
