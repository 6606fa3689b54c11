"""Envelopes in the spool: sealed to the queue key, so that doors write them and only delivery reads them."""

from cjsm.vault.encoding import SUITE, bound, check_suite
from cjsm.vault.errors import Malformed
from cjsm.vault.hybrid import PrivateKey, PublicKey
from cjsm.vault.secrets import Versions


def seal_envelope(queue: PublicKey, number: int, entry_id: bytes, envelope: bytes) -> bytes:
    """Return *envelope* sealed for the spool entry *entry_id*: suite, key number, HPKE.

    :param queue: ``secrets.queue_public.current``, whose number is *number*.
    """
    return bytes((SUITE, number)) + queue.seal(envelope, bound(b"cjsm envelope", SUITE, entry_id))


def open_envelope(queue: Versions[PrivateKey], entry_id: bytes, sealed: bytes) -> bytes:
    """Open the envelope of *entry_id*.

    :raises NotAuthentic: when it belongs to another entry or was changed.
    :raises UnknownSuite: when it was sealed by a newer version.
    :raises MissingSecret: when the queue key that it was sealed to is not there (any more).
    """
    if len(sealed) < 2:
        raise Malformed("damaged envelope")
    check_suite(sealed[0])
    return queue.of(sealed[1]).open(sealed[2:], bound(b"cjsm envelope", SUITE, entry_id))
