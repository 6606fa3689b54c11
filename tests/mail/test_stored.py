"""What is found wrong with stored messages by somebody who can read none of them."""

import hashlib
import os

import msgspec
import pytest

from cjsm.community.identifiers import BodyId, DeliveryId, MailboxId
from cjsm.mail.stored import examiner, imported_delivery
from cjsm.store.interfaces import Row
from cjsm.vault.hybrid import PrivateKey, PublicKey, new_seed
from cjsm.vault.message import MessageSealer, encode_wrap
from cjsm.vault.secrets import Versions
from cjsm.vault.signing import SigningKey

MAILBOX = MailboxId(b"m" * 16)
KEY = SigningKey.from_octets(bytes(32))
ACCEPTANCE = Versions("acceptance", {1: KEY})
PUBLIC = PublicKey(PrivateKey(new_seed()).public)


def stored(delivery_id: bytes = b"d" * 16, imported_id: str = "", key: SigningKey = KEY) -> tuple[Row, bytes, bytes]:
    """A message as a mailbox has it: its row, its wrap, its sealed body."""
    sealer = MessageSealer(BodyId(os.urandom(16)))
    sealed = sealer.write(b"hello") + sealer.finish()[0]
    wrap = sealer.wrap(
        MAILBOX,
        3,
        DeliveryId(delivery_id),
        to=PUBLIC,
        prefix=b"Return-Path: <>\r\n",
        acceptance=Versions("acceptance", {1: key}),
        moment=1,
    )
    row = Row(
        uid=1,
        octets=wrap.octets,
        delivery_id=wrap.delivery_id,
        generation=3,
        flags=0,
        chain=bytes(32),
        imported_id=imported_id,
    )
    return row, encode_wrap(wrap), sealed


def problem(row: Row, wrap: bytes, sealed: bytes, mailbox: MailboxId = MAILBOX) -> str:
    return examiner(mailbox, ACCEPTANCE)(row, wrap, len(sealed), hashlib.sha256(sealed).digest())


def test_what_was_accepted() -> None:
    """There is nothing to say."""
    assert problem(*stored()) == ""
    unique_id = "old 1".replace(" ", "-")
    assert problem(*stored(imported_delivery(MAILBOX, unique_id), unique_id)) == ""


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"octets": 1}, "the list says 1 octets"),
        ({"generation": 4}, "belongs to another"),
        ({"delivery_id": b"e" * 16}, "belongs to another"),
        ({"imported_id": "another"}, "its unique-id is not the one"),
    ],
)
def test_another_row(change: dict[str, object], told: str) -> None:
    """The wrap says where it belongs."""
    row, wrap, sealed = stored()
    assert told in problem(msgspec.structs.replace(row, **change), wrap, sealed)


def test_another_mailbox_wrap_body_or_signature() -> None:
    """Whatever was moved, cut, exchanged or planted."""
    row, wrap, sealed = stored()
    assert problem(row, wrap, sealed, MailboxId(b"n" * 16))
    assert problem(row, stored()[1], sealed) == "its body is not the one that was accepted"
    assert problem(row, wrap, sealed[:-1]) == "its body is not the one that was accepted"
    assert problem(row, wrap[:-1], sealed)
    assert problem(row, b"", sealed)
    assert problem(*stored(key=SigningKey.from_octets(b"x" * 32)))
