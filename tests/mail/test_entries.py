"""Entries of the spool."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from cjsm.community.identifiers import LENGTH, BodyId, MailboxId
from cjsm.mail.content import SealedContent
from cjsm.mail.destinations import Destination
from cjsm.mail.entries import EntryMaker
from cjsm.mail.submission import Submitted
from cjsm.vault.message import Summary
from tests.community.communities import identifier
from tests.mail.world import SECRETS, MemoryBodies, MemoryKeys, result


def test_one_wrap_for_each_mailbox() -> None:
    """Delivery ids are fresh for each; the length counts what the mailbox's own prefix adds."""
    maker = EntryMaker(MemoryKeys(), SECRETS, entropy=lambda length: next(numbers)[:length], reactor=Clock())
    numbers = (bytes((each,)) * 32 for each in range(1, 250))
    content = SealedContent(BodyId(b"b" * LENGTH), bodies=MemoryBodies(), entropy=lambda n: b"k" * n, inline=1_000)
    content.write(b"From: a@b\r\n\r\ntext\r\n")
    mailboxes = [MailboxId(identifier(f"m{each}")) for each in range(3)]
    entry = result(
        Deferred.fromCoroutine(
            maker.make(
                entry_id=b"e" * LENGTH,
                body_id=BodyId(b"b" * LENGTH),
                sender=None,
                destinations=[Destination(mailbox=each, address="a@b", quota=0) for each in mailboxes],
                content=content,
                told=Submitted(
                    octets=b"", message_id="<1>", summary=Summary(sender="", to="", subject="", date="", octets=0)
                ),
                now=5,
            )
        )
    )
    assert [delivery.mailbox for delivery in entry.deliveries] == mailboxes
    assert len({delivery.delivery_id for delivery in entry.deliveries}) == 3
    assert {delivery.octets for delivery in entry.deliveries} == {len(b"Return-Path: <>\r\nFrom: a@b\r\n\r\ntext\r\n")}
    assert entry.body is not None
    assert len(entry.body) == entry.sealed_octets
