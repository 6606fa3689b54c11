"""Proof files (C2SP tlog-proof): that one entry is in the ledger, checked without it. The extra data is the entry."""

from collections.abc import Sequence

from msgspec import Struct

from cjsm.ledger.errors import Malformed
from cjsm.ledger.notes import decoded, encoded, number
from cjsm.ledger.tree import HASH

_FIRST = "c2sp.org/tlog-proof@v1"
_EXTRA, _INDEX = "extra ", "index "
#: A proof is refused beyond this: an entry, 63 hashes and a note are less.
LONGEST = 262_144
_HASHES = 63


class ProofFile(Struct, frozen=True):
    """What a proof file has: the *entry*, its *index*, the hashes from the leaf up, and a signed checkpoint."""

    entry: bytes
    index: int
    hashes: Sequence[bytes]
    checkpoint: bytes

    def __bytes__(self) -> bytes:
        """The file."""
        lines = [_FIRST, f"{_EXTRA}{encoded(self.entry)}", f"{_INDEX}{self.index}", *map(encoded, self.hashes)]
        return "".join(f"{line}\n" for line in (*lines, "")).encode() + self.checkpoint

    @classmethod
    def parse(cls, octets: bytes) -> "ProofFile":
        """Return the proof that was written as *octets*.

        :raises Malformed: when it is none.
        """
        head, gap, checkpoint = octets.partition(b"\n\n")
        if len(octets) > LONGEST or not gap or not checkpoint:
            raise Malformed(f"a proof has some lines, an empty one and a checkpoint, in at most {LONGEST} octets")
        try:
            lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError:
            raise Malformed("a proof begins with lines of ASCII") from None
        if len(lines) < 3 or lines[0] != _FIRST or not lines[1].startswith(_EXTRA) or not lines[2].startswith(_INDEX):
            raise Malformed(f"a proof with an entry begins with lines {_FIRST}, extra and index")
        entry, index = lines[1].removeprefix(_EXTRA), lines[2].removeprefix(_INDEX)
        hashes = [decoded(line) for line in lines[3:]]
        if len(hashes) > _HASHES or any(len(each) != HASH for each in hashes):
            raise Malformed("a proof has hashes, one a line")
        return cls(decoded(entry), number(index), hashes, checkpoint)
