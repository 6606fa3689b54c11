"""Sealing a message once for everybody, wrapping its key for each mailbox, and opening it again.

One random data key for each message seals its body (:mod:`cjsm.vault.body`) and its summary. A wrap carries the data
key to one mailbox generation by HPKE and says, signed with the acceptance key, that this service accepted it there.
"""

import hashlib
import os

import msgspec
from msgspec import Struct

from cjsm.community.identifiers import BodyId, DeliveryId, Entropy, MailboxId
from cjsm.vault.body import (
    SEALED_SEGMENT,
    SEGMENT,
    BodyOpener,
    BodySealer,
    SealedBody,
    sealed_length,
    segments,
    verify_body,
)
from cjsm.vault.encoding import SUITE, bound, check_suite
from cjsm.vault.errors import Malformed, NotAuthentic
from cjsm.vault.hybrid import PrivateKey, PublicKey
from cjsm.vault.primitives import expand, open_once, seal_once
from cjsm.vault.secrets import Versions
from cjsm.vault.signing import SigningKey, Verifies

__all__ = [
    "PREFIX",
    "SEALED_SEGMENT",
    "SEGMENT",
    "BodyOpener",
    "MessageSealer",
    "OpenedMessage",
    "SealedBody",
    "Summary",
    "Wrap",
    "decode_wrap",
    "encode_wrap",
    "open_wrap",
    "sealed_length",
    "segments",
    "verify_body",
    "verify_wrap",
]

#: Octets of a prefix at most.
PREFIX = 16 * 1024
_KEY = 32


class Summary(Struct, frozen=True, kw_only=True):
    """What a listing shows of a message; texts are decoded and shortened by whoever makes it."""

    sender: str
    to: str
    subject: str
    date: str
    octets: int

    def __repr__(self) -> str:
        return "<Summary>"


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
    """Return the stored form of *wrap*: a suite octet, then MessagePack."""
    return bytes((wrap.suite,)) + msgspec.msgpack.encode(wrap)


_WRAP_DECODER = msgspec.msgpack.Decoder(Wrap)
_SUMMARY_DECODER = msgspec.msgpack.Decoder(Summary)


def decode_wrap(stored: bytes) -> Wrap:
    """Return the wrap that :func:`encode_wrap` wrote.

    :raises Malformed: when it is damaged.
    :raises UnknownSuite: when it was made by a newer version.
    """
    if not stored:
        raise Malformed("damaged wrap")
    check_suite(stored[0])
    try:
        wrap = _WRAP_DECODER.decode(memoryview(stored)[1:])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed("damaged wrap") from error
    if min(wrap.generation, wrap.octets, wrap.signed_at) < 0 or max(wrap.generation, wrap.octets, wrap.signed_at) >> 63:
        raise Malformed("damaged wrap")
    return wrap


def _summary_key(key: bytes, body_id: BodyId) -> bytes:
    return expand(key, bound(b"cjsm summary key", SUITE, body_id))


def _summary_aad(body_id: BodyId) -> bytes:
    return bound(b"cjsm summary", SUITE, body_id)


class MessageSealer:
    """Seals one message as it arrives. Holds at most one segment of plaintext; shows nothing of itself."""

    __slots__ = ("_body", "_body_id", "_entropy", "_key", "_sealer")

    def __init__(self, body_id: BodyId, entropy: Entropy = os.urandom) -> None:
        self._key = entropy(_KEY)
        self._body_id = body_id
        self._entropy = entropy
        self._sealer = BodySealer(self._key, body_id)
        self._body: SealedBody | None = None

    @property
    def key(self) -> bytes:
        """The message's key, for the sealed envelope of a message that goes out, and for nothing else."""
        return self._key

    def write(self, plaintext: bytes) -> bytes:
        """Take the next octets; return the sealed segments that are full now, often none.

        :raises Malformed: after :meth:`finish`.
        """
        return self._sealer.write(plaintext)

    def finish(self) -> tuple[bytes, SealedBody]:
        """Return the last segment and what is known of the body.

        :raises Malformed: the second time.
        """
        sealed, self._body = self._sealer.finish()
        return sealed, self._body

    def seal_summary(self, summary: Summary) -> bytes:
        """Return *summary* sealed under a key of its own; everyone who can open the message can open it."""
        key = _summary_key(self._key, self._body_id)
        told = msgspec.msgpack.encode(summary)
        return bytes((SUITE,)) + seal_once(key, told, _summary_aad(self._body_id), self._entropy)

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

        :param to: the generation's public key, from :func:`cjsm.vault.mailboxes.check_generation`.
        :param prefix: what this recipient's copy begins with, at most 16 KiB.
        :param moment: the time of acceptance, in seconds since the epoch.
        :raises Malformed: before :meth:`finish`, or when the prefix is too long.
        """
        body = self._body
        if body is None or len(prefix) > PREFIX:
            raise Malformed("wrap before finish" if body is None else f"a prefix has at most {PREFIX} octets")
        octets = len(prefix) + body.octets
        info = _wrap_info(mailbox, generation, delivery_id, body.body_id, octets, body.digest)
        unsigned = Wrap(
            suite=SUITE,
            mailbox=mailbox,
            generation=generation,
            delivery_id=delivery_id,
            body_id=body.body_id,
            octets=octets,
            body_digest=body.digest,
            sealed=to.seal(self._key + prefix, info),
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


def verify_wrap(
    wrap: Wrap, mailbox: MailboxId, generation: int, delivery_id: DeliveryId, acceptance: Versions[Verifies]
) -> None:
    """Check, without any reader's key, that this service accepted *wrap* for this place in a mailbox's list.

    :param generation: with *mailbox* and *delivery_id* what the list says, not what the wrap says of itself.
    :raises NotAuthentic: when it did not.
    :raises UnknownSuite: when it was made by a newer version.
    :raises MissingSecret: when the acceptance key that signed it is not there any more.
    """
    check_suite(wrap.suite)
    if (wrap.mailbox, wrap.generation, wrap.delivery_id) != (mailbox, generation, delivery_id):
        raise NotAuthentic("the message belongs to another mailbox, generation or delivery")
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
        if not sealed:
            raise Malformed("damaged summary")
        check_suite(sealed[0])
        key = _summary_key(self._key, self.wrap.body_id)
        return _SUMMARY_DECODER.decode(open_once(key, sealed[1:], _summary_aad(self.wrap.body_id)))

    def body(self) -> BodyOpener:
        """Return a fresh opener for the sealed body."""
        return BodyOpener(self._key, self.wrap.body_id, self.body_octets)


def open_wrap(
    wrap: Wrap,
    mailbox: MailboxId,
    generation: int,
    delivery_id: DeliveryId,
    *,
    acceptance: Versions[Verifies],
    key: PrivateKey,
) -> OpenedMessage:
    """Verify *wrap*, then open it with the mailbox generation's private *key*.

    :param mailbox: with *generation* and *delivery_id* the place in the list that the wrap was found for.
    :raises NotAuthentic: when the service did not accept it for this place, or it was changed.
    :raises UnknownSuite: when it was made by a newer version.
    """
    verify_wrap(wrap, mailbox, generation, delivery_id, acceptance)
    info = _wrap_info(wrap.mailbox, wrap.generation, wrap.delivery_id, wrap.body_id, wrap.octets, wrap.body_digest)
    opened = key.open(wrap.sealed, info)
    if not _KEY <= len(opened) <= _KEY + PREFIX or wrap.octets < len(opened) - _KEY:
        raise NotAuthentic("the message's lengths contradict each other")
    return OpenedMessage(wrap, opened[:_KEY], opened[_KEY:])
