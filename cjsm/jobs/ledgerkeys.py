"""The ledger's own keys: they sign its checkpoints, and check what was signed.

After ``cjsm keys rotate-secret ledger`` the newest key and the one before it both sign, as long as the service holds
both: whoever was given the older one goes on checking until they have the newer.
"""

from collections.abc import Sequence

from cjsm.ledger import notes
from cjsm.ledger.checkpoints import Checkpoint, origin_of
from cjsm.ledger.errors import Malformed
from cjsm.ledger.notes import Note, NoteKey
from cjsm.vault.errors import NotAuthentic
from cjsm.vault.secrets import ServiceSecrets
from cjsm.vault.signing import VerifyingKey

#: Keys that sign one checkpoint at most.
_SIGNERS = 2


class LedgerKeys:
    """The keys of the ledger of the community with a *suffix*."""

    def __init__(self, suffix: str, secrets: ServiceSecrets) -> None:
        self.origin = origin_of(suffix)
        self._secrets = secrets

    @property
    def known(self) -> list[NoteKey]:
        """The keys that check, the newest first."""
        versions = self._secrets.ledger_public
        return [NoteKey(self.origin, versions.of(number).octets) for number in reversed(versions.numbers)]

    def numbered(self) -> list[tuple[int, NoteKey]]:
        """Return every key with its number, the oldest first."""
        versions = self._secrets.ledger_public
        return [(number, NoteKey(self.origin, versions.of(number).octets)) for number in versions.numbers]

    def sign(self, checkpoint: Checkpoint) -> Note:
        """Return *checkpoint*, signed.

        :raises MissingSecret: when this process does not hold the ledger's key.
        """
        versions = self._secrets.ledger
        numbers = sorted(versions.numbers, reverse=True)[:_SIGNERS] or [versions.number]
        signers = [(NoteKey(self.origin, versions.of(each).public.octets), versions.of(each).sign) for each in numbers]
        return notes.sign(checkpoint.text, signers)

    def checked(self, octets: bytes) -> Checkpoint:
        """Return the checkpoint that was signed as *octets*.

        :raises Malformed: when it is none, or not of this ledger.
        """
        return checked(octets, self.known, self.origin)


def checked(octets: bytes, keys: Sequence[NoteKey], origin: str) -> Checkpoint:
    """Return the checkpoint of the ledger *origin* that one of *keys* signed as *octets*.

    :raises Malformed: when it is none.
    """
    note = notes.parse(octets)
    try:
        notes.check(note, keys, _verify)
    except NotAuthentic:
        raise Malformed("the signature under this checkpoint does not hold") from None
    checkpoint = Checkpoint.parse(note.text)
    if checkpoint.origin != origin:
        raise Malformed(f"this is a checkpoint of {checkpoint.origin}, not of {origin}")
    return checkpoint


def _verify(public: bytes, signature: bytes, text: bytes) -> None:
    VerifyingKey.from_octets(public).verify(signature, text)
