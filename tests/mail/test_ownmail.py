"""Messages that the service writes go the way of all mail, with the null reverse-path."""

from collections.abc import Iterator

import pytest

from cjsm.community.admission import Service
from cjsm.mail.outgoing import open_outgoing
from cjsm.store.interfaces import DiskFull, Missing, SpoolBatch, StoreError

from .support import JO_ADDRESS, JO_MAILBOX, LIST_ADDRESS, SECRETS, House, envelope, logged, opened, result
from .way import AT_FIRM
from .weather import Fate

HEAD = b"From: Echo <echo@cjsm.test>\r\nSubject: Well\r\nMessage-ID: <own@cjsm.test>\r\n\r\nfirst\r\n"


def written(house: House, to: str, *pieces: bytes, service: Service = Service.DSN) -> SpoolBatch | None:
    """What is kept of a message to *to*."""
    rest: Iterator[bytes] = iter(pieces)

    async def following() -> bytes:
        return next(rest, b"")

    return result(house.acceptance.own_mail.write(service, to, HEAD, following))


@pytest.mark.parametrize("pieces", [(), (b"second\r\n",), (b"x" * 300_000, b"y\r\n")])
def test_to_a_mailbox(pieces: tuple[bytes, ...]) -> None:
    """Every piece of it, however large, with no reverse-path and its own Message-ID."""
    house = House()
    batch = written(house, JO_ADDRESS, *pieces)
    assert batch is not None
    (entry,) = batch.hosted
    assert envelope(entry).reverse_path == ""
    assert envelope(entry).message_id == "<own@cjsm.test>"
    body = entry.body if entry.body is not None else bytes(house.platter.files[entry.body_id].octets)
    (delivery,) = entry.deliveries
    text, _ = opened(delivery.wrap, JO_MAILBOX, delivery.delivery_id, body, entry.summary)
    assert text.endswith(HEAD + b"".join(pieces))
    assert text.startswith(b"Return-Path: <>\r\n")


def test_behind_a_connection() -> None:
    """It waits in the queue like other mail."""
    batch = written(House(), AT_FIRM)
    assert batch is not None
    assert batch.hosted == ()
    (going,) = batch.outgoing
    assert open_outgoing(SECRETS.queue, going).reverse_path == ""


@pytest.mark.parametrize("to", ["nobody@elsewhere.example", "no address", "", f"gone@{JO_ADDRESS.partition('@')[2]}"])
def test_to_nobody(to: str) -> None:
    """There is nothing to keep, and the log says so."""
    with logged() as texts:
        assert written(House(), to) is None
    assert any("reaches nobody" in text for text in texts)


def test_the_echo_does_not_answer_itself() -> None:
    """What the service writes to the echo address reaches nobody."""
    with logged():
        assert written(House(), "echo@cjsm.test", service=Service.ECHO) is None


def test_not_to_lists() -> None:
    """No report is spread among a list's members; where admission lets it through, everybody gets it once."""
    with logged():
        batch = written(House(), LIST_ADDRESS)
    assert batch is None or len({delivery.mailbox for entry in batch.hosted for delivery in entry.deliveries}) > 0


def test_a_disk_that_is_full() -> None:
    """Whoever wanted it written hears so."""
    house = House()
    house.forecast.foretell("create", Fate(error=DiskFull("below the floor")))
    with pytest.raises(StoreError):
        written(house, JO_ADDRESS, b"x" * 300_000)


def test_a_mailbox_without_a_key() -> None:
    """Likewise."""
    house = House()
    house.keys.lost[JO_MAILBOX] = Missing("no key")
    with pytest.raises(StoreError):
        written(house, JO_ADDRESS)
