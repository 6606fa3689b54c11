"""Whom one message goes to: each once, with what was wished of it."""

import pytest

from cjsm.community.identifiers import ConnectionId, MailboxId
from cjsm.mail.destinations import Destination, Destinations, Relayed, Through
from cjsm.mail.envelope import NO_WISH, Notify, OutgoingRecipient, Wish
from cjsm.mail.recipients import Recipients, smallest_limit

ONE, TWO = ConnectionId(b"connection one.."), ConnectionId(b"connection two..")
ASKED = Wish(notify=frozenset({Notify.SUCCESS}), original="rfc822;x@y")


LIST = Through(address="all@avon", name="All", reports_to="manager")


def here(*names: str, through: Through | None = None) -> Destinations:
    """Mailboxes."""
    every = tuple(
        Destination(mailbox=MailboxId(name.encode().ljust(16)), address=name, quota=0, through=through)
        for name in names
    )
    return Destinations(every=every, of_list=through is not None)


def there(*names: str, connection: ConnectionId = ONE, through: Through | None = None) -> Destinations:
    """Recipients behind a connection."""
    relayed = tuple(Relayed(connection=connection, address=name, limit=0, through=through) for name in names)
    return Destinations(relayed=relayed, of_list=through is not None)


def test_nobody() -> None:
    """There is nothing to keep."""
    recipients = Recipients()
    assert not recipients
    assert (recipients.asked, recipients.copies, recipients.hosted, list(recipients.relayed)) == (0, 1, (), [])


def test_each_once() -> None:
    """Whoever is named twice, or by a list too, gets one copy; the first wish counts."""
    recipients = Recipients()
    recipients.add(here("jo"), ASKED)
    assert [each.address for each in recipients.fresh(here("jo", "sam"))] == ["sam"]
    recipients.add(here("jo", "sam"), NO_WISH)
    recipients.add(there("boss"), ASKED)
    recipients.add(there("boss", "clerk"), NO_WISH)
    assert recipients
    assert recipients.asked == 4
    assert [each.address for each in recipients.hosted] == ["jo", "sam"]
    assert recipients.wishes == (ASKED, NO_WISH)
    ((connection, through, behind),) = recipients.relayed
    assert (connection, through) == (ONE, None)
    assert behind == (OutgoingRecipient(address="boss", wish=ASKED), OutgoingRecipient(address="clerk"))
    assert recipients.copies == 3


def test_no_wishes_cost_nothing() -> None:
    """Nothing is kept of wishes that nobody had."""
    recipients = Recipients()
    recipients.add(here("jo", "sam"), NO_WISH)
    assert recipients.wishes == ()


def test_each_connection_by_itself() -> None:
    """And each list's mail, whose failures somebody else hears of."""
    recipients = Recipients()
    recipients.add(there("boss"), NO_WISH)
    recipients.add(there("usher", connection=TWO), NO_WISH)
    recipients.add(there("clerk", through=LIST), ASKED)
    found = [(connection, by, [each.address for each in behind]) for connection, by, behind in recipients.relayed]
    assert found == [(ONE, None, ["boss"]), (TWO, None, ["usher"]), (ONE, LIST, ["clerk"])]
    assert [each.wish for _, by, behind in recipients.relayed if by for each in behind] == [NO_WISH]


@pytest.mark.parametrize("list_first", [True, False])
def test_who_is_named_beside_a_list(list_first: bool) -> None:
    """Gets the sender's own copy, with what was wished of it, and no second one."""
    recipients = Recipients()
    found = [(here("jo", "sam", through=LIST), NO_WISH), (here("jo"), ASKED)]
    found += [(there("boss", "clerk", through=LIST), NO_WISH), (there("boss"), ASKED)]
    for destinations, wish in found if list_first else reversed(found):
        recipients.add(destinations, wish)
    assert {each.address: each.through for each in recipients.hosted} == {"jo": None, "sam": LIST}
    wished = dict(zip((each.address for each in recipients.hosted), recipients.wishes, strict=True))
    assert wished == {"jo": ASKED, "sam": NO_WISH}
    behind = {through: [each.address for each in several] for _, through, several in recipients.relayed}
    assert behind == {None: ["boss"], LIST: ["clerk"]}


def test_the_wish_for_a_list_ends_at_the_list() -> None:
    """Its members' mail is the list's (RFC 3461 section 5.2.7)."""
    recipients = Recipients()
    recipients.add(here("jo", through=LIST), ASKED)
    assert recipients.wishes == ()


def test_the_echo() -> None:
    """It alone is somebody to write to."""
    recipients = Recipients()
    recipients.add(Destinations(echo=True), NO_WISH)
    assert recipients
    assert recipients.echo
    recipients.add(here("jo"), NO_WISH)
    assert recipients.echo


def test_the_smallest_limit() -> None:
    """No limit is no limit."""
    relayed = [Relayed(connection=ONE, address="x", limit=limit) for limit in (0, 500, 300)]
    assert smallest_limit(relayed) == 300
    assert smallest_limit(relayed[:1]) == smallest_limit([]) == 0
