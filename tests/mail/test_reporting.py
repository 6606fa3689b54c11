"""What senders hear of their mail, from the message that is reported to the report in their mailbox."""

from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import msgspec
import pytest

from cjsm.community.admission import Service
from cjsm.mail.envelope import Demands, Notify, OutgoingEnvelope, OutgoingRecipient, Returned, Wish
from cjsm.mail.outgoing import open_outgoing
from cjsm.mail.reporting import Happened
from cjsm.mail.sending import Outcome
from cjsm.store.interfaces import Damaged, Missing, SpoolEntry, StoreError, Unavailable
from cjsm.vault.errors import NotAuthentic
from cjsm.vault.queue import EnvelopeSealer

from .support import JO_MAILBOX, LETTER, SAM_ADDRESS, SECRETS, envelope, logged, result
from .way import AT_FIRM, BUSY, NOBODY, TAKEN, Way, fields_of

LONG = LETTER + b"x" * 70 + b"\r\n" + b"y" * 70 + b"\r\n"


@pytest.fixture
def way(tmp_path: Path) -> Iterator[Way]:
    """A way out on which nothing is tried."""
    made = Way(tmp_path)
    yield made
    made.close()


def reported(way: Way, outcome: Outcome, kind: Notify, *, octets: bytes = LETTER, **changes: object) -> list[Message]:
    """The report of a message of Jo's to the firm, whose envelope is changed."""
    way.send(octets=octets)
    queued = way.waiting()[-1]
    (claimed,) = result(way.queue.claim(queued.outgoing.connection, 1))
    opened = msgspec.structs.replace(open_outgoing(SECRETS.queue, queued.outgoing), **changes)
    happened = [Happened(opened.recipients[0], outcome, kind)]
    for batch in result(
        way.reports.sent(claimed.outgoing, opened, happened, remote="mx.firm (192.0.2.1)", expires=2_000_000_000)
    ):
        result(way.spool.put(batch))
    return way.told()


@pytest.mark.parametrize(
    ("outcome", "kind", "action", "status"),
    [
        (NOBODY, Notify.FAILURE, "failed", "5.1.1"),
        (BUSY, Notify.DELAY, "delayed", "4.2.1"),
        (TAKEN, Notify.SUCCESS, "relayed", "2.0.0"),
        # Another class than that of the action would contradict it (RFC 3463 section 2).
        (Outcome(code=550, status="4.4.7", text="450 busy"), Notify.FAILURE, "failed", "5.4.7"),
        (Outcome(code=451, status="5.7.1", text="451 odd"), Notify.DELAY, "delayed", "4.7.1"),
    ],
)
def test_classes(way: Way, outcome: Outcome, kind: Notify, action: str, status: str) -> None:
    """The status has the class of the action; who said it is named, with its words."""
    (report,) = reported(way, outcome, kind)
    (fields,) = fields_of(report)
    assert (fields["Action"], fields["Status"]) == (action, status)
    assert "mx.firm" in fields["Remote-MTA"]
    assert outcome.text in fields["Diagnostic-Code"]
    assert bool(fields["Will-Retry-Until"]) == (kind is Notify.DELAY)


def test_a_message_that_must_stay_inside_tls(way: Way) -> None:
    """Its report may take another way: nothing of the message is in it (RFC 8689 section 5)."""
    demands = Demands(require_tls=True, returned=Returned.FULL)
    (report,) = reported(way, NOBODY, Notify.FAILURE, demands=demands)
    assert fields_of(report)[0]["Action"] == "failed"
    assert b"Bail" not in report.as_bytes()


def test_our_own_words(way: Way) -> None:
    """They are not another server's."""
    (report,) = reported(way, Outcome(code=550, status="5.7.0", text="taken out", ours=True), Notify.FAILURE)
    (fields,) = fields_of(report)
    assert (fields["Remote-MTA"], fields["Diagnostic-Code"]) == (None, None)


@pytest.mark.parametrize(
    ("returned", "kind", "whole"),
    [
        (None, Notify.FAILURE, False),
        (Returned.HEADERS, Notify.FAILURE, False),
        (Returned.FULL, Notify.FAILURE, True),
        (Returned.FULL, Notify.DELAY, False),
        (Returned.FULL, Notify.SUCCESS, False),
    ],
)
def test_what_is_returned(way: Way, returned: Returned | None, kind: Notify, whole: bool) -> None:
    """RET counts for failures; otherwise the header is enough (RFC 3461 section 4.3)."""
    (report,) = reported(way, NOBODY, kind, octets=LONG, demands=Demands(returned=returned))
    parts = report.get_payload()
    assert isinstance(parts, list)
    text = parts[2].as_bytes()
    assert b"Subject: Bail" in text
    assert (b"yyyy" in text) == whole


def test_large_messages_are_not_returned_whole(way: Way) -> None:
    """The settings say how large."""
    way.reports.settings = msgspec.structs.replace(
        way.settings, relay=msgspec.structs.replace(way.settings.relay, report_whole=50)
    )
    (report,) = reported(way, NOBODY, Notify.FAILURE, octets=LONG, demands=Demands(returned=Returned.FULL))
    assert b"yyyy" not in report.as_bytes()


def test_a_message_that_cannot_be_read(way: Way) -> None:
    """The report comes all the same, without it."""
    with logged() as texts:
        (report,) = reported(way, NOBODY, Notify.FAILURE, key=bytes(32))
    assert any("returns nothing" in text for text in texts)
    assert b"Bail" not in report.as_bytes()
    assert fields_of(report)[0]["Action"] == "failed"


def test_envelope_id_and_original_recipient(way: Way) -> None:
    """As the sender wrote them."""
    recipients = (OutgoingRecipient(address=AT_FIRM, wish=Wish(original="rfc822;re+2Dlayed@firm")),)
    (report,) = reported(way, NOBODY, Notify.FAILURE, demands=Demands(envelope_id="QQ314"), recipients=recipients)
    parts = report.get_payload()
    assert isinstance(parts, list)
    blocks = parts[1].get_payload()
    assert isinstance(blocks, list)
    assert blocks[0]["Original-Envelope-Id"] == "QQ314"
    assert blocks[1]["Original-Recipient"].replace(" ", "") == "rfc822;re-layed@firm"


@pytest.mark.parametrize("to", [AT_FIRM, "nobody@elsewhere.example", f"gone.person@{SAM_ADDRESS.partition('@')[2]}"])
def test_whom_it_reaches(way: Way, to: str) -> None:
    """A sender behind a connection gets it the way of all mail; who is no member gets none, and the log says so."""
    way.send()
    (queued,) = result(way.queue.claim(way.waiting()[0].outgoing.connection, 1))
    opened = msgspec.structs.replace(open_outgoing(SECRETS.queue, queued.outgoing), reverse_path=to)
    happened = [Happened(opened.recipients[0], NOBODY, Notify.FAILURE)]
    with logged() as texts:
        made = result(way.reports.sent(queued.outgoing, opened, happened, remote="", expires=0))
    if to != AT_FIRM:
        assert made == ()
        assert any("reaches nobody" in text for text in texts)
        return
    (batch,) = made
    assert batch.hosted == ()
    (going,) = batch.outgoing
    assert open_outgoing(SECRETS.queue, going).reverse_path == ""


def test_the_null_sender_gets_none(way: Way) -> None:
    """A report of a report would go round for ever (RFC 5321 section 4.5.5)."""
    own = result(way.house.acceptance.own_mail.write(Service.DSN, AT_FIRM, LETTER, _nothing))
    assert own is not None
    result(way.spool.put(own))
    way.servers.answers["re.layed@firm.co.uk"] = NOBODY
    way.worker.start()
    way.wait()
    assert len(way.servers.messages) == 1
    assert way.servers.messages[0][1].reverse_path == ""
    assert way.waiting() == []
    assert way.told() == []


def test_a_report_that_cannot_be_kept(way: Way) -> None:
    """Whoever asked for it hears so."""
    way.house.keys.lost[JO_MAILBOX] = Missing("no key")
    with pytest.raises(StoreError):
        reported(way, NOBODY, Notify.FAILURE)


@pytest.mark.parametrize("error", [Missing("no key"), Damaged("no record"), NotAuthentic("not signed")])
def test_deliveries_of_whose_keys_are_not_in_order(way: Way, error: Exception) -> None:
    """Are told to nobody: what is noted of everybody's deliveries together does not wait for that."""
    entry = wanted(way)
    way.house.keys.lost[JO_MAILBOX] = error
    with logged() as texts:
        assert result(way.reports.delivered(entry, [entry.deliveries[-1].delivery_id])) == ()
    assert any("a report of deliveries is not kept" in text for text in texts)


def test_deliveries_while_a_store_is_away(way: Way) -> None:
    """Are told when it is back."""
    entry = wanted(way)
    way.house.keys.lost[JO_MAILBOX] = Unavailable("away")
    with pytest.raises(Unavailable):
        result(way.reports.delivered(entry, [entry.deliveries[-1].delivery_id]))


def wanted(way: Way) -> SpoolEntry:
    """A message whose sender wants to hear of its deliveries."""
    message = way.house.begun()
    result(message.recipient(SAM_ADDRESS, Wish(notify=frozenset({Notify.SUCCESS}))))
    message.write(LETTER)
    result(message.commit())
    return way.house.entry()


@pytest.mark.parametrize("wish", [Wish(), Wish(notify=frozenset({Notify.SUCCESS}))])
def test_deliveries_here(way: Way, wish: Wish) -> None:
    """Who asked hears of them, without a line of the message."""
    message = way.house.begun()
    result(message.recipient(SAM_ADDRESS, wish))
    message.write(LETTER)
    result(message.commit())
    entry = way.house.entry()
    assert entry.reports == (wish != Wish())
    made = result(way.reports.delivered(entry, [entry.deliveries[-1].delivery_id]))
    if wish == Wish():
        assert made == ()
        return
    result(way.spool.put(made[0]))
    (report,) = way.told()
    assert fields_of(report)[0]["Action"] == "delivered"
    assert b"Bail" not in report.as_bytes()


def test_deliveries_of_what_cannot_be_read(way: Way) -> None:
    """Nobody hears, and the log says so; the null sender does not either."""
    way.house.send(LETTER)
    entry = way.house.entry()
    with logged() as texts:
        assert result(way.reports.delivered(msgspec.structs.replace(entry, envelope=b"\x01\x01?"), [])) == ()
    assert any("cannot be read" in text for text in texts)
    assert envelope(entry).reverse_path
    sealer = EnvelopeSealer(SECRETS.queue_public.current, SECRETS.queue_public.number)
    bad = msgspec.structs.replace(entry, envelope=sealer.seal(entry.id, b"\xc1"))
    assert result(way.reports.delivered(bad, [])) == ()


async def _nothing() -> bytes:
    return b""


def test_nothing_of_an_envelope_is_shown() -> None:
    """Not even by accident."""
    assert "jo" not in repr(OutgoingEnvelope(reverse_path="jo@x"))
