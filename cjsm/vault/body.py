"""A sealed body: one ciphertext for all recipients, the same in a record and in a file.

It is a run of segments of 64 KiB of plaintext, each AES-256-GCM under ``k_body`` with the segment's number and a
last-segment flag as nonce (the STREAM construction). The last segment is the only one that may be short, and may be
empty. A body has no header: its suite is in the wraps that name it, and bound to each segment.
"""

import hashlib
import hmac
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from cjsm.community.identifiers import BodyId
from cjsm.vault.encoding import SUITE, bound
from cjsm.vault.errors import Malformed, NotAuthentic
from cjsm.vault.primitives import TAG, expand

SEGMENT = 64 * 1024
SEALED_SEGMENT = SEGMENT + TAG


class SealedBody(Struct, frozen=True, kw_only=True):
    """What is known of a body once it is sealed. ``octets`` counts plaintext; ``digest`` is SHA-256 of the sealed."""

    body_id: BodyId
    octets: int
    sealed_octets: int
    digest: bytes


def segments(octets: int) -> int:
    """Return how many segments a body of *octets* has; an empty body has one."""
    return max(1, -(-octets // SEGMENT))


def sealed_length(octets: int) -> int:
    """Return the length of a sealed body of *octets* plaintext."""
    return octets + segments(octets) * TAG


def verify_body(digest: bytes, sealed: Iterable[bytes]) -> None:
    """Check a sealed body without any key, as backups and ``verify`` do.

    :param digest: the ``body_digest`` of a wrap whose signature was verified.
    :param sealed: the body in pieces of any size.
    :raises NotAuthentic: when it is not the body that was accepted.
    """
    found = hashlib.sha256()
    for piece in sealed:
        found.update(piece)
    if not hmac.compare_digest(found.digest(), digest):
        raise NotAuthentic("the body is not the one that was accepted")


def _nonce(segment: int, last: bool) -> bytes:
    return segment.to_bytes(11, "big") + (b"\x01" if last else b"\x00")


def _cipher(key: bytes, body_id: BodyId) -> tuple[AESGCM, bytes]:
    """Return the body's cipher and what is bound to each segment."""
    derived = expand(key, bound(b"cjsm body key", SUITE, body_id))
    return AESGCM(derived), bound(b"cjsm body", SUITE, body_id)


class BodySealer:
    """Seals a body as it arrives. Holds at most one segment of plaintext.

    :param key: the message's data key: random, 32 octets, never used for another body.
    """

    def __init__(self, key: bytes, body_id: BodyId) -> None:
        self._body_id = body_id
        self._cipher, self._aad = _cipher(key, body_id)
        self._digest = hashlib.sha256()
        self._pending = bytearray()
        self._segments = 0
        self._octets = 0
        self._sealed_octets = 0
        self._finished = False

    def write(self, plaintext: bytes) -> bytes:
        """Take the next octets; return the sealed segments that are full now, often none.

        :raises Malformed: after :meth:`finish`.
        """
        self._check_open()
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
        """Return the last segment and what is known of the body.

        :raises Malformed: the second time.
        """
        self._check_open()
        self._finished = True
        sealed = self._seal(bytes(self._pending), last=True)
        self._pending = bytearray()
        return sealed, SealedBody(
            body_id=self._body_id,
            octets=self._octets,
            sealed_octets=self._sealed_octets,
            digest=self._digest.digest(),
        )

    def _check_open(self) -> None:
        if self._finished:
            raise Malformed("the body is finished")

    def _seal(self, plaintext: bytes | memoryview, *, last: bool) -> bytes:
        sealed = self._cipher.encrypt(_nonce(self._segments, last), plaintext, self._aad)
        self._segments += 1
        self._sealed_octets += len(sealed)
        self._digest.update(sealed)
        return sealed


class BodyOpener:
    """Opens a sealed body segment by segment, in order; gives out nothing that was not verified.

    Ask :attr:`next_length` and :meth:`open` where the body can be read in any pieces; :meth:`write` and
    :meth:`finish` where it arrives in pieces of somebody else's choice. Use one pair or the other.
    """

    def __init__(self, key: bytes, body_id: BodyId, octets: int) -> None:
        self._cipher, self._aad = _cipher(key, body_id)
        self._segments = segments(octets)
        self._last = octets - (self._segments - 1) * SEGMENT
        self._next = 0
        self._pending = bytearray()
        #: Length of the sealed body; a file or record of another length is not what was accepted.
        self.sealed_octets = sealed_length(octets)

    @property
    def next_length(self) -> int:
        """Octets of the next sealed segment; 0 after the last."""
        if self._next == self._segments:
            return 0
        return (self._last if self._next == self._segments - 1 else SEGMENT) + TAG

    def check_length(self, sealed_octets: int) -> None:
        """Compare the length of what is stored with what was accepted, before the first octet is given out.

        :raises NotAuthentic: when it was truncated or extended.
        """
        if sealed_octets != self.sealed_octets:
            raise NotAuthentic(f"the sealed body has {sealed_octets} octets, accepted were {self.sealed_octets}")

    def open(self, sealed: bytes) -> bytes:
        """Return the plaintext of the next segment, which is :attr:`next_length` octets sealed.

        :raises NotAuthentic: when it is not what was sealed in this place.
        """
        if len(sealed) != self.next_length:
            raise NotAuthentic(f"segment {self._next} of the body has not the length that was accepted")
        last = self._next == self._segments - 1
        try:
            plaintext = self._cipher.decrypt(_nonce(self._next, last), sealed, self._aad)
        except (InvalidTag, ValueError) as error:
            raise NotAuthentic(f"segment {self._next} of the body is not what was accepted") from error
        self._next += 1
        return plaintext

    def write(self, sealed: bytes) -> bytes:
        """Take the next sealed octets; return the plaintext of the segments that are complete now, often none.

        :raises NotAuthentic: when a segment is not what was sealed there, or the body goes on after its last.
        """
        self._pending += sealed
        opened = []
        while (length := self.next_length) and len(self._pending) >= length:
            opened.append(self.open(bytes(self._pending[:length])))
            del self._pending[:length]
        if self._pending and not self.next_length:
            raise NotAuthentic("the body goes on after its last segment")
        return b"".join(opened)

    def finish(self) -> None:
        """Say that no more comes.

        :raises NotAuthentic: when the body ends early.
        """
        if self.next_length:
            raise NotAuthentic("the body ends early")
