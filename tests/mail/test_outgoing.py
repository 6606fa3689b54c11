"""A queued message opened for the way out."""

from collections.abc import Iterator

import msgspec
import pytest

from cjsm.mail.outgoing import OpenedOutgoing, Pieces, open_outgoing
from cjsm.store.interfaces import Damaged, Outgoing
from cjsm.vault.errors import VaultError
from cjsm.vault.queue import EnvelopeSealer

from .support import LETTER, SECRETS, House, result, small
from .way import AT_FIRM

BODY = b"".join(b"line %d\r\n" % number for number in range(20_000))


def taken(house: House, octets: bytes = LETTER) -> Outgoing:
    """A message for the firm, as it waits."""
    house.send(octets, AT_FIRM)
    (outgoing,) = house.platter.outgoing.values()
    return outgoing


@pytest.mark.parametrize("body", [b"", b"At ten.\r\n", BODY], ids=["none", "inline", "file"])
def test_the_message_comes_out_as_it_went_in(body: bytes) -> None:
    """Header and body, octet for octet, whether it is inside the spool or in a file; the length is known before."""
    house = House()
    outgoing = taken(house, LETTER.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + body)
    assert (outgoing.body is None) == (body is BODY)
    envelope = open_outgoing(SECRETS.queue, outgoing)
    opened = result(OpenedOutgoing.read(envelope, outgoing, house.bodies, small().mail))
    assert opened.header.first(b"subject") == "Bail"
    read = b""
    while piece := result(opened.body()):
        read += piece
    assert read == body
    assert opened.body_octets == len(body)
    opened.close()
    opened.close()


def test_an_envelope_is_for_one_message() -> None:
    """Another one's, a changed one, or one that is no envelope cannot be opened."""
    house = House()
    outgoing = taken(house)
    with pytest.raises(VaultError):
        open_outgoing(SECRETS.queue, msgspec.structs.replace(outgoing, id=b"o" * 16))
    with pytest.raises(VaultError):
        open_outgoing(SECRETS.queue, msgspec.structs.replace(outgoing, envelope=outgoing.envelope[:-1] + b"?"))
    sealer = EnvelopeSealer(SECRETS.queue_public.current, SECRETS.queue_public.number)
    with pytest.raises(Damaged):
        open_outgoing(SECRETS.queue, msgspec.structs.replace(outgoing, envelope=sealer.seal(outgoing.id, b"\xc1")))


def test_a_body_that_was_changed() -> None:
    """Nothing of it is given out."""
    house = House()
    outgoing = taken(house)
    assert outgoing.body is not None
    changed = msgspec.structs.replace(outgoing, body=outgoing.body[:-1] + bytes([outgoing.body[-1] ^ 1]))
    with pytest.raises(VaultError):
        result(OpenedOutgoing.read(open_outgoing(SECRETS.queue, outgoing), changed, house.bodies, small().mail))


def test_a_file_that_was_cut() -> None:
    """Its length is looked at before its first octet is."""
    house = House()
    outgoing = taken(house, LETTER + BODY)
    del house.platter.files[outgoing.body_id].octets[-10:]
    with pytest.raises(VaultError):
        result(OpenedOutgoing.read(open_outgoing(SECRETS.queue, outgoing), outgoing, house.bodies, small().mail))


def test_a_header_that_grew_since() -> None:
    """What was accepted within limits goes out, although trace fields came to it; without limits it would not."""
    house = House()
    fields = b"".join(b"X-%d: y\r\n" % number for number in range(30))
    outgoing = taken(house, fields + LETTER)
    envelope = open_outgoing(SECRETS.queue, outgoing)
    strict = small(header_fields=10).mail
    assert result(OpenedOutgoing.read(envelope, outgoing, house.bodies, strict)).header.has(b"x-29")


@pytest.mark.parametrize("most", [1, 7, 1_000])
def test_pieces(most: int) -> None:
    """In order, none longer than was asked for, none empty before the end."""
    rest: Iterator[bytes] = iter([b"second" * 50, b"third"])
    ended: list[bool] = []

    async def following() -> bytes:
        return next(rest, b"")

    pieces = Pieces(b"first", following, lambda: ended.append(True))
    read = []
    while piece := result(pieces.read(most)):
        read.append(piece)
    assert b"".join(read) == b"first" + b"second" * 50 + b"third"
    assert max(map(len, read)) <= most
    pieces.close()
    assert ended == [True]
