"""Envelopes in the spool: sealed to the queue key, so that doors write them and only delivery reads them.

Doors seal a fresh key to the queue key now and then, and envelopes under that key: the hybrid costs as much as all else
that is done for a small message.
"""

import os

from cjsm.community.identifiers import Entropy
from cjsm.vault.encoding import SUITE, bound, check_suite
from cjsm.vault.errors import Malformed
from cjsm.vault.hybrid import OVERHEAD, PrivateKey, PublicKey
from cjsm.vault.primitives import open_once, seal_once
from cjsm.vault.secrets import Versions

_KEY = 32
_SEALED_KEY = _KEY + OVERHEAD
#: Envelopes under one key: few enough for random nonces, and for what a copy of the process's memory opens.
_ENVELOPES = 1_000


class EnvelopeSealer:
    """Seals envelopes for entries of the spool.

    :param queue: ``secrets.queue_public.current``, whose number is *number*.
    """

    def __init__(self, queue: PublicKey, number: int, entropy: Entropy = os.urandom) -> None:
        self._queue = queue
        self._number = number
        self._entropy = entropy
        self._key = b""
        self._head = b""
        self._left = 0

    def seal(self, entry_id: bytes, envelope: bytes) -> bytes:
        """Return *envelope* sealed for *entry_id*: suite, queue key's number, sealed key of 1,168 octets, AES-GCM."""
        if self._left == 0:
            self._renew()
        self._left -= 1
        return self._head + seal_once(self._key, envelope, _bound(entry_id), self._entropy)

    def _renew(self) -> None:
        self._key = self._entropy(_KEY)
        sealed = self._queue.seal(self._key, bound(b"cjsm envelope key", SUITE, bytes((self._number,))))
        self._head = bytes((SUITE, self._number)) + sealed
        self._left = _ENVELOPES


def open_envelope(queue: Versions[PrivateKey], entry_id: bytes, sealed: bytes) -> bytes:
    """Open the envelope of *entry_id*.

    :raises NotAuthentic: when it belongs to another entry or was changed.
    :raises UnknownSuite: when it was sealed by a newer version.
    :raises MissingSecret: when the queue key that it was sealed to is not there (any more).
    """
    if len(sealed) < 2:
        raise Malformed("damaged envelope")
    check_suite(sealed[0])
    sealed_key, rest = sealed[2 : 2 + _SEALED_KEY], sealed[2 + _SEALED_KEY :]
    key = queue.of(sealed[1]).open(sealed_key, bound(b"cjsm envelope key", SUITE, sealed[1:2]))
    return open_once(key, rest, _bound(entry_id))


def _bound(entry_id: bytes) -> bytes:
    return bound(b"cjsm envelope", SUITE, entry_id)
