"""Checkpoints (C2SP tlog-checkpoint): how large the tree was, and its root. A signed one is a note with that text."""

from msgspec import Struct

from cjsm.ledger.errors import Malformed
from cjsm.ledger.notes import decoded, encoded, number
from cjsm.ledger.tree import HASH


class Checkpoint(Struct, frozen=True):
    """The tree of the ledger *origin* at a *size*, with its *root*."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{encoded(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Return the checkpoint with that *text*; lines after the third are others' and left alone.

        :raises Malformed: when it is none.
        """
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop() or not all(lines):
            raise Malformed("a checkpoint has lines for origin, size and root")
        origin, size, root = lines[0], number(lines[1]), decoded(lines[2])
        if len(root) != HASH:
            raise Malformed("the third line of a checkpoint is a hash")
        return cls(origin, size, root)


def origin_of(suffix: str) -> str:
    """Return what the ledger of the community with that *suffix* is called; its keys have the same name."""
    return f"{suffix}/ledger"
