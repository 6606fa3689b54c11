"""Remembered verifications, so that a client that polls does not pay for stretching its password each time.

The verification cache holds a keyed tag and the account's version, no secret. The unlock cache, for human passwords
on POP3 only, holds beside it the mail keys sealed under a key that only the password itself gives back. For whoever
can read this process's memory, both are fast tests of the passwords in them; the settings can turn them off.
"""

from collections import OrderedDict

from msgspec import Struct


class Remembered(Struct, frozen=True):
    """One successful verification: until when it counts, and the sealed mail keys where they are kept."""

    until: float
    sealed_keys: bytes | None


class VerificationCache:
    """A bounded table from tag to :class:`Remembered`; the tag covers account, version and secret.

    :param life: seconds that an entry counts; 0 turns the cache off.
    :param entries: how many are kept at most.
    """

    def __init__(self, life: int, entries: int) -> None:
        self._life = life
        self._most = entries
        self._entries: OrderedDict[bytes, Remembered] = OrderedDict()

    def recall(self, tag: bytes, now: float) -> Remembered | None:
        """Return what is remembered under *tag*, if it still counts."""
        entry = self._entries.get(tag)
        if entry is not None and entry.until <= now:
            del self._entries[tag]
            return None
        return entry

    def remember(self, tag: bytes, sealed_keys: bytes | None, now: float) -> None:
        """Keep a success; keys that were kept before stay when *sealed_keys* is None."""
        if not self._life:
            return
        earlier = self._entries.pop(tag, None)
        if sealed_keys is None and earlier is not None:
            sealed_keys = earlier.sealed_keys
        self._entries[tag] = Remembered(now + self._life, sealed_keys)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
