"""What the spool keeps of a message: a wrap for each mailbox and nothing readable."""

import msgspec
import pytest

from cjsm.store.interfaces import Missing
from cjsm.vault.errors import NotAuthentic

from .support import (
    DATED,
    HOST,
    JO_ADDRESS,
    LETTER,
    NOW,
    OLIVE,
    OLIVE_ADDRESS,
    SAM,
    SAM_ADDRESS,
    House,
    envelope,
    missing,
    refusal,
    result,
    spooled,
)


def test_every_mailbox_gets_its_own_wrap() -> None:
    """It opens there, with the return path in front, and nowhere else."""
    house = House()
    house.send(DATED + LETTER, SAM_ADDRESS, OLIVE_ADDRESS)
    entry = house.entry()
    assert [each.mailbox for each in entry.deliveries] == [SAM, OLIVE]
    assert len({each.delivery_id for each in entry.deliveries}) == 2
    for_sam, summary = spooled(house, SAM)
    assert for_sam == spooled(house, OLIVE)[0]
    assert for_sam.startswith(f"Return-Path: <{JO_ADDRESS}>\r\nReceived: by {HOST} with ESMTPSA".encode())
    assert for_sam.endswith(DATED + LETTER)
    assert summary.subject == "Bail"
    assert summary.octets == len(for_sam) - len(f"Return-Path: <{JO_ADDRESS}>\r\n")
    assert {each.octets for each in entry.deliveries} == {len(for_sam)}
    swapped = msgspec.structs.replace(entry.deliveries[0], wrap=entry.deliveries[1].wrap)
    house.platter.entries[1] = msgspec.structs.replace(entry, deliveries=(swapped,))
    with pytest.raises(NotAuthentic):
        spooled(house, SAM)


def test_the_envelope_is_for_later_stages_only() -> None:
    """Reverse-path, Message-ID and recipients with their deliveries, under the queue key."""
    house = House()
    house.send(DATED + LETTER, SAM_ADDRESS, OLIVE_ADDRESS)
    entry = house.entry()
    told = envelope(entry)
    assert (told.reverse_path, told.message_id) == (JO_ADDRESS, "<one@avon>")
    assert told.recipients == (
        (SAM_ADDRESS, entry.deliveries[0].delivery_id),
        (OLIVE_ADDRESS, entry.deliveries[1].delivery_id),
    )
    assert entry.accepted == NOW


def test_nothing_readable_is_kept() -> None:
    """Neither content nor addresses are anywhere in the entry."""
    house = House()
    house.send(DATED + LETTER, SAM_ADDRESS)
    kept = msgspec.msgpack.encode(house.entry())
    for word in (b"At ten", b"Bail", b"jo.ward", b"avon", b"Return-Path"):
        assert word not in kept


def test_every_message_has_identifiers_of_its_own() -> None:
    """Also where the same is sent twice."""
    house = House()
    house.send(LETTER)
    house.send(LETTER)
    one, other = house.platter.entries.values()
    assert one.id != other.id
    assert one.body_id != other.body_id
    assert one.deliveries[0].delivery_id != other.deliveries[0].delivery_id
    assert one.body != other.body


@pytest.mark.parametrize("error", [missing(), NotAuthentic("not signed")])
def test_a_mailbox_that_loses_its_key_meanwhile(error: Exception) -> None:
    """The whole message is refused for now, and nothing stays of it."""
    house = House()
    message = house.begun(SAM_ADDRESS, OLIVE_ADDRESS)
    message.write(LETTER + b"x" * 200_000)
    assert house.platter.files
    house.keys.lost[OLIVE] = error
    assert refusal(message.commit()) == (451, "4.3.0")
    assert house.empty
    assert isinstance(missing(), Missing)
    result(message.abort())
