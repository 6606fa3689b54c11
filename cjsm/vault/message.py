"""Sealing a message once for everybody, wrapping its key for each mailbox, and opening it again (vault, "A message").

A sealed body is a run of segments of 64 KiB of plaintext, each AES-256-GCM under ``k_body`` with the segment's number
and a last-segment flag as nonce. The last segment is the only one that may be short, and may be empty.
"""

import hashlib
import os

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from cjsm.community.identifiers import BodyId, DeliveryId, MailboxId
from cjsm.vault.encoding import SUITE, bound, check_suite
from cjsm.vault.errors import Malformed, NotAuthentic
from cjsm.vault.hybrid import PrivateKey, PublicKey
from cjsm.vault.primitives import TAG, expand, open_once, seal_once
from cjsm.vault.secrets import Versions
from cjsm.vault.signing import SigningKey

SEGMENT = 64 * 1024
SEALED_SEGMENT = SEGMENT + TAG
PREFIX = 16 * 1024
_KEY = 32


class Summary(Struct, frozen=True, kw_only=True):
    """What a listing shows of a message; texts are decoded and shortened by whoever makes it."""

    sender: str
    to: str
    subject: str
    date: str
    octets: int


class SealedBody(Struct, frozen=True, kw_only=True):
    """What is known of a body once it is sealed. ``octets`` counts plaintext; ``digest`` is SHA-256 of the sealed."""

    body_id: BodyId
    octets: int
    sealed_octets: int
    digest: bytes


class Wrap(Struct, frozen=True, kw_only=True, array_like=True):
    """One message for one mailbox: its key and prefix sealed to the mailbox, signed at acceptance.

    ``octets`` is the length of the whole message as delivered: prefix and body. ``signed_at`` in seconds.
    """

    suite: int
    mailbox: MailboxId
    generation: int
    delivery_id: DeliveryId
    body_id: BodyId
    octets: int
    body_digest: bytes
    sealed: bytes
    signed_at: int
    key_number: int
    signature: bytes


def encode_wrap(wrap: Wrap) -> bytes:
    """Return the stored form of *wrap*."""
    return msgspec.msgpack.encode(wrap)


_WRAP_DECODER = msgspec.msgpack.Decoder(Wrap)


def decode_wrap(stored: bytes) -> Wrap:
    """Return the wrap that :func:`encode_wrap` wrote.

    :raises Malformed: when it is damaged.
    """
    try:
        return _WRAP_DECODER.decode(stored)
    except msgspec.MsgspecError as error:
        raise Malformed("damaged wrap") from error


def _nonce(segment: int, last: bool) -> bytes:
    return segment.to_bytes(11, "big") + (b"\x01" if last else b"\x00")


def _body_key(key: bytes, body_id: BodyId) -> bytes:
    return expand(key, bound(b"cjsm body key", SUITE, body_id))


def _summary_key(key: bytes, body_id: BodyId) -> bytes:
    return expand(key, bound(b"cjsm summary key", SUITE, body_id))


def _body_aad(body_id: BodyId) -> bytes:
    return bound(b"cjsm body", SUITE, body_id)


class MessageSealer:
    """Seals one message as it arrives. Holds at most one segment of plaintext."""

    def __init__(self, body_id: BodyId) -> None:
        self._key = os.urandom(_KEY)
        self._body_id = body_id
        self._cipher = AESGCM(_body_key(self._key, body_id))
        self._aad = _body_aad(body_id)
        self._digest = hashlib.sha256()
        self._pending = bytearray()
        self._segments = 0
        self._octets = 0
        self._sealed_octets = 0
        self._body: SealedBody | None = None

    def write(self, plaintext: bytes) -> bytes:
        """Take the next octets; return the sealed segments that are full now, often none."""
        self._pending += plaintext
        self._octets += len(plaintext)
        if len(self._pending) <= SEGMENT:
            return b""
        sealed = []
        view = memoryview(bytes(self._pending))
        offset = 0
        # A full segment waits until more follows: only then is it known not to be the last.
        while len(view) - offset > SEGMENT:
            sealed.append(self._seal(view[offset : offset + SEGMENT], last=False))
            offset += SEGMENT
        self._pending = bytearray(view[offset:])
        return b"".join(sealed)

    def finish(self) -> tuple[bytes, SealedBody]:
        """Return the last segment and what is known of the body."""
        sealed = self._seal(bytes(self._pending), last=True)
        self._pending = bytearray()
        self._body = SealedBody(
            body_id=self._body_id,
            octets=self._octets,
            sealed_octets=self._sealed_octets,
            digest=self._digest.digest(),
        )
        return sealed, self._body

    def _seal(self, plaintext: bytes | memoryview, *, last: bool) -> bytes:
        sealed = self._cipher.encrypt(_nonce(self._segments, last), plaintext, self._aad)
        self._segments += 1
        self._sealed_octets += len(sealed)
        self._digest.update(sealed)
        return sealed

    def seal_summary(self, summary: Summary) -> bytes:
        """Return *summary* sealed under a key of its own; everyone who can open the message can open it."""
        aad = bound(b"cjsm summary", SUITE, self._body_id)
        return seal_once(_summary_key(self._key, self._body_id), msgspec.msgpack.encode(summary), aad)

    def wrap(
        self,
        mailbox: MailboxId,
        generation: int,
        delivery_id: DeliveryId,
        *,
        to: PublicKey,
        prefix: bytes,
        acceptance: Versions[SigningKey],
        moment: int,
    ) -> Wrap:
        """Return the message's key for one mailbox, after :meth:`finish`.

        :param prefix: what this recipient's copy begins with, at most 16 KiB.
        """
        body = self._body
        if body is None or len(prefix) > PREFIX:
            raise Malformed("wrap before finish" if body is None else f"a prefix has at most {PREFIX} octets")
        octets = len(prefix) + body.octets
        info = _wrap_info(mailbox, generation, delivery_id, body.body_id, octets, body.digest)
        sealed = to.seal(self._key + prefix, info)
        unsigned = Wrap(
            suite=SUITE,
            mailbox=mailbox,
            generation=generation,
            delivery_id=delivery_id,
            body_id=body.body_id,
            octets=octets,
            body_digest=body.digest,
            sealed=sealed,
            signed_at=moment,
            key_number=acceptance.number,
            signature=b"",
        )
        return msgspec.structs.replace(unsigned, signature=acceptance.current.sign(_signed(unsigned)))


def _wrap_info(
    mailbox: MailboxId, generation: int, delivery_id: DeliveryId, body_id: BodyId, octets: int, digest: bytes
) -> bytes:
    return bound(b"cjsm wrap", SUITE, mailbox, generation, delivery_id, body_id, octets, digest)


def _signed(wrap: Wrap) -> bytes:
    return bound(
        b"cjsm accepted",
        wrap.suite,
        wrap.mailbox,
        wrap.generation,
        wrap.delivery_id,
        wrap.body_id,
        wrap.body_digest,
        hashlib.sha256(wrap.sealed).digest(),
        wrap.octets,
        wrap.signed_at,
    )


def verify_wrap(wrap: Wrap, mailbox: MailboxId, delivery_id: DeliveryId, acceptance: Versions[SigningKey]) -> None:
    """Check, without any reader's key, that this service accepted *wrap* for *mailbox* as *delivery_id*.

    :raises NotAuthentic: when it did not.
    :raises UnknownSuite: when it was made by a newer version.
    """
    check_suite(wrap.suite)
    if wrap.mailbox != mailbox or wrap.delivery_id != delivery_id:
        raise NotAuthentic("the message belongs to another mailbox or delivery")
    acceptance.of(wrap.key_number).public.verify(wrap.signature, _signed(wrap))


class OpenedMessage:
    """A message whose key is known: gives the prefix, the summary and an opener for the body."""

    __slots__ = ("_key", "prefix", "wrap")

    def __init__(self, wrap: Wrap, key: bytes, prefix: bytes) -> None:
        self.wrap = wrap
        self.prefix = prefix
        self._key = key

    @property
    def body_octets(self) -> int:
        """Length of the body's plaintext."""
        return self.wrap.octets - len(self.prefix)

    def summary(self, sealed: bytes) -> Summary:
        """Open the message's summary.

        :raises NotAuthentic: when it is not this message's.
        """
        aad = bound(b"cjsm summary", SUITE, self.wrap.body_id)
        opened = open_once(_summary_key(self._key, self.wrap.body_id), sealed, aad)
        return msgspec.msgpack.decode(opened, type=Summary)

    def body(self) -> "BodyOpener":
        """Return a fresh opener for the sealed body."""
        return BodyOpener(self._key, self.wrap.body_id, self.body_octets)


class BodyOpener:
    """Opens a sealed body segment by segment, in order; gives out nothing that was not verified."""

    def __init__(self, key: bytes, body_id: BodyId, octets: int) -> None:
        self._cipher = AESGCM(_body_key(key, body_id))
        self._aad = _body_aad(body_id)
        self._segments = segments(octets)
        self._last = octets - (self._segments - 1) * SEGMENT
        self._next = 0

    @property
    def next_length(self) -> int:
        """Octets of the next sealed segment; 0 after the last."""
        if self._next == self._segments:
            return 0
        return (self._last if self._next == self._segments - 1 else SEGMENT) + TAG

    def open(self, sealed: bytes) -> bytes:
        """Return the plaintext of the next segment, which is :attr:`next_length` octets sealed.

        :raises NotAuthentic: when it is not what was sealed in this place.
        """
        last = self._next == self._segments - 1
        try:
            plaintext = self._cipher.decrypt(_nonce(self._next, last), sealed, self._aad)
        except (InvalidTag, ValueError) as error:
            raise NotAuthentic(f"segment {self._next} of the body is not what was accepted") from error
        self._next += 1
        return plaintext


def segments(octets: int) -> int:
    """Return how many segments a body of *octets* has; an empty body has one."""
    return max(1, -(-octets // SEGMENT))


def sealed_length(octets: int) -> int:
    """Return the length of a sealed body of *octets* plaintext."""
    return octets + segments(octets) * TAG


def open_wrap(
    wrap: Wrap,
    mailbox: MailboxId,
    delivery_id: DeliveryId,
    *,
    acceptance: Versions[SigningKey],
    key: PrivateKey,
) -> OpenedMessage:
    """Verify *wrap* and open it with the mailbox generation's private *key*.

    :raises NotAuthentic: when the service did not accept it for this place, or it was changed.
    """
    verify_wrap(wrap, mailbox, delivery_id, acceptance)
    info = _wrap_info(wrap.mailbox, wrap.generation, wrap.delivery_id, wrap.body_id, wrap.octets, wrap.body_digest)
    opened = key.open(wrap.sealed, info)
    if not _KEY <= len(opened) <= _KEY + PREFIX or wrap.octets < len(opened) - _KEY:
        raise NotAuthentic("the message's lengths contradict each other")
    return OpenedMessage(wrap, opened[:_KEY], opened[_KEY:])
