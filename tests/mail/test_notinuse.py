"""Whoever writes to a suspended person hears of it, once a day, and no machine does."""

import email

import pytest

from cjsm.community.records import Life, MailList
from cjsm.mail import notinuse
from tests.community.communities import CRIME_LIST, SUFFIX, community, hosted, relayed

from .support import (
    JO_ADDRESS,
    JO_MAILBOX,
    LETTER,
    LIST_ADDRESS,
    OLIVE_ADDRESS,
    SAM,
    SAM_ADDRESS,
    House,
    opened,
    result,
)

SUSPENDED = hosted("sam.hill", "avon", "avon", life=Life.SUSPENDED)[0]
RESTING = relayed("re.layed", "firm", f"firm.co.uk.{SUFFIX}", life=Life.SUSPENDED)[0]
RELAYED = f"re.layed@firm.co.uk.{SUFFIX}"


def told(house: House) -> list[email.message.Message]:
    """What Jo got, in order."""
    found = []
    for entry in house.platter.entries.values():
        for delivery in entry.deliveries:
            if delivery.mailbox == JO_MAILBOX:
                assert entry.body is not None
                text = opened(delivery.wrap, JO_MAILBOX, delivery.delivery_id, entry.body, entry.summary)[0]
                found.append(email.message_from_bytes(text))
    return found


def words(message: email.message.Message) -> str:
    payload = message.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


def test_it_is_delivered_and_told() -> None:
    """In the same commit; everybody else is named in no such answer."""
    house = House(view=community(SUSPENDED))
    queue_id = house.send(b"Message-ID: <1@client.example>\r\n" + LETTER, SAM_ADDRESS, OLIVE_ADDRESS)
    assert any(each.mailbox == SAM for entry in house.platter.entries.values() for each in entry.deliveries)
    (answer,) = told(house)
    assert (answer["Auto-Submitted"], answer["In-Reply-To"]) == ("auto-replied", "<1@client.example>")
    assert answer["Return-Path"] == "<>"
    assert SAM_ADDRESS in words(answer)
    assert queue_id in words(answer)
    assert OLIVE_ADDRESS not in words(answer)


def test_members_elsewhere_too() -> None:
    """A suspended member's own server gets the message all the same."""
    house = House(view=community(RESTING))
    house.send(LETTER, RELAYED)
    assert RELAYED in words(told(house)[0])


def test_once_a_day() -> None:
    """For each recipient."""
    house = House(view=community(SUSPENDED, RESTING))
    house.send(LETTER)
    house.send(LETTER)
    assert len(told(house)) == 1
    house.send(LETTER, SAM_ADDRESS, RELAYED)
    assert [SAM_ADDRESS in words(answer) for answer in told(house)] == [True, False]
    house.clock.advance(86_400)
    house.send(LETTER)
    assert len(told(house)) == 3


@pytest.mark.parametrize("field", [b"Auto-Submitted: auto-generated\r\n", b"Precedence: bulk\r\n"])
def test_no_machine_is_told(field: bytes) -> None:
    """Two machines would never end."""
    house = House(view=community(SUSPENDED))
    house.send(field + LETTER)
    assert told(house) == []


def test_not_of_members_of_a_list() -> None:
    """Who writes to a list does not write to them."""
    listed = MailList(
        id=CRIME_LIST.id, organisation=CRIME_LIST.organisation, slug="all", name="All", members=(SAM_ADDRESS,)
    )
    house = House(view=community(SUSPENDED, listed))
    house.send(LETTER, LIST_ADDRESS)
    assert told(house) == []
    assert len(house.platter.entries) == 1


def test_while_in_use_nobody_hears_anything() -> None:
    """As ever."""
    house = House()
    house.send(LETTER)
    assert told(house) == []


def test_it_remembers_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """And forgets the oldest."""
    monkeypatch.setattr(notinuse, "_REMEMBERED", 1)
    house = House(view=community(SUSPENDED, RESTING))
    for recipient in (SAM_ADDRESS, RELAYED, RELAYED, SAM_ADDRESS):
        house.send(LETTER, recipient)
    assert len(told(house)) == 3


def test_very_many_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer stays short."""
    monkeypatch.setattr(notinuse, "_NAMED", 1)
    house = House(view=community(SUSPENDED, RESTING))
    house.send(LETTER, SAM_ADDRESS, RELAYED)
    assert "and 1 more" in words(told(house)[0])


def test_a_message_that_is_refused_is_answered_by_its_refusal_alone() -> None:
    """Nothing is kept of it, and the next one is told."""
    house = House(view=community(SUSPENDED))
    message = house.begun(SAM_ADDRESS)
    message.write(LETTER.replace(JO_ADDRESS.encode(), SAM_ADDRESS.encode()))
    with pytest.raises(Exception, match="550"):
        result(message.commit())
    assert told(house) == []
    house.send(LETTER)
    assert len(told(house)) == 1
