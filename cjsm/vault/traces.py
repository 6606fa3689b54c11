"""Sealing the message trace: what the disk holds of it tells who takes it how many events there were, and when.

Keys are derived from the service secret ``cache``, so every process that takes mail in or delivers it can write the
trace, and commands can read it. What an older version of the secret sealed still opens.
"""

from collections.abc import Iterator

from cjsm.vault.encoding import SUITE, bound, check_suite
from cjsm.vault.errors import MissingSecret, NotAuthentic
from cjsm.vault.primitives import expand, mac, open_once, seal_once
from cjsm.vault.secrets import Versions
from cjsm.vault.tags import pseudonym

_TAG = 16


class TraceSealer:
    """Seals and opens events, and tags what they are found by.

    :param keys: every version of the secret ``cache``.
    """

    def __init__(self, keys: Versions[bytes]) -> None:
        self._keys = keys
        self._derived: dict[int, bytes] = {}

    def message(self, message_id: str) -> bytes:
        """Return the 16 octets that a Message-ID is found by."""
        return self._message(self._keys.number, message_id)

    def messages(self, message_id: str) -> tuple[bytes, ...]:
        """Return what a Message-ID may have been kept as, newest first: one for each version of the secret."""
        return tuple(self._message(number, message_id) for number in self._numbers())

    def name(self, address: str) -> str:
        """Return the pseudonym of *address*."""
        return pseudonym(self._keys.current, address.lower().encode())

    def names(self, address: str) -> tuple[str, ...]:
        """Return what *address* may have been called, newest first."""
        return tuple(pseudonym(self._keys.of(number), address.lower().encode()) for number in self._numbers())

    def seal(self, plaintext: bytes, *bound_to: bytes | int) -> bytes:
        """Return suite, version of the secret, and *plaintext* sealed so that it opens with *bound_to* only."""
        number = self._keys.number
        return bytes((SUITE, number)) + seal_once(self._key(number), plaintext, _binding(number, *bound_to))

    def open(self, sealed: bytes, *bound_to: bytes | int) -> bytes:
        """Return what was sealed.

        :raises NotAuthentic: when it is not what was sealed, or belongs elsewhere.
        :raises UnknownSuite: when a later version sealed it.
        :raises MissingSecret: when its version of the secret is gone.
        """
        if len(sealed) < 2:
            raise NotAuthentic("sealed value does not open")
        check_suite(sealed[0])
        return open_once(self._key(sealed[1]), sealed[2:], _binding(sealed[1], *bound_to))

    def _message(self, number: int, message_id: str) -> bytes:
        return mac(self._key(number), bound(b"cjsm traced message", message_id.encode()))[:_TAG]

    def _key(self, number: int) -> bytes:
        found = self._derived.get(number)
        if found is None:
            found = self._derived[number] = expand(self._keys.of(number), bound(b"cjsm trace", SUITE))
        return found

    def _numbers(self) -> Iterator[int]:
        for number in range(self._keys.number, 0, -1):
            try:
                self._keys.of(number)
            except MissingSecret:
                continue
            yield number


def _binding(number: int, *fields: bytes | int) -> bytes:
    return bound(b"cjsm trace event", SUITE, number, *fields)
