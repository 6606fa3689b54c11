"""What may be wrong with the ledger, or with what was given to be compared with it."""

from cjsm.store.errors import StoreError


class LedgerBroken(StoreError):
    """The ledger is not what it was when a checkpoint of it was signed.

    :ivar index: of the first entry that is known to be other than it was; None where that is not known.
    """

    def __init__(self, problem: str, cure: str, index: int | None = None) -> None:
        super().__init__(problem)
        self.cure = cure
        self.index = index


class Malformed(Exception):
    """Octets that are no such thing: a note, a checkpoint, a proof, a tile.

    :ivar cure: what to do about it.
    """

    def __init__(self, problem: str, cure: str = "give the file as it was written, whole and unchanged") -> None:
        super().__init__(problem)
        self.cure = cure


class ProofFailed(Exception):
    """A proof does not prove what it should.

    :ivar cure: what to do about it.
    """

    cure = "keep what you compared, and tell everybody who relies on this ledger: one of the two was changed"


class EntryTooLong(Exception):
    """An act says more than an entry may hold.

    :ivar cure: what to do about it.
    """

    cure = "do it to fewer at once"
