"""Proofs that an entry is in a tree, and that a tree goes on where another ended (RFC 6962 section 2.1, RFC 9162).

Making one asks for roots of subtrees: ``subtree(low, high)`` returns the hash over the entries from index *low* to
below *high*, as :class:`~cjsm.ledger.tiles.HashTiles` does. Checking one needs nothing but hashes.
"""

from collections.abc import Callable, Sequence

from cjsm.ledger.errors import ProofFailed
from cjsm.ledger.tree import node_hash, split

Subtree = Callable[[int, int], bytes]


def inclusion(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """Return the hashes that prove that the entry at *index* is in the tree of *size*, from the leaf up.

    :raises ValueError: when it is not.
    """
    if not 0 <= index < size:
        raise ValueError("the entry is not in that tree")
    return _path(index, 0, size, subtree)


def _path(index: int, low: int, high: int, subtree: Subtree) -> list[bytes]:
    if high - low == 1:
        return []
    middle = low + split(high - low)
    if index < middle:
        return [*_path(index, low, middle, subtree), subtree(middle, high)]
    return [*_path(index, middle, high, subtree), subtree(low, middle)]


def consistency(earlier: int, later: int, subtree: Subtree) -> list[bytes]:
    """Return the hashes that prove that the tree of size *later* begins with that of size *earlier*.

    :raises ValueError: when *earlier* is larger.
    """
    if not 0 <= earlier <= later:
        raise ValueError("the earlier tree is the larger one")
    return _beginning(earlier, 0, later, subtree, whole=True) if 0 < earlier < later else []


def _beginning(earlier: int, low: int, high: int, subtree: Subtree, *, whole: bool) -> list[bytes]:
    """Return what RFC 6962 calls SUBPROOF; *whole*: the earlier tree's root is known to who checks."""
    if earlier == high:
        return [] if whole else [subtree(low, high)]
    middle = low + split(high - low)
    if earlier <= middle:
        return [*_beginning(earlier, low, middle, subtree, whole=whole), subtree(middle, high)]
    return [*_beginning(earlier, middle, high, subtree, whole=False), subtree(low, middle)]


def check_inclusion(leaf: bytes, index: int, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    """Check that an entry with the hash *leaf* is at *index* in the tree of *size* and *root* (RFC 9162 §2.1.3.2).

    :raises ProofFailed: when *proof* does not prove it.
    """
    if not 0 <= index < size:
        raise ProofFailed(f"a tree of {size} entries has none at {index}")
    node, last, found = index, size - 1, leaf
    for hashed in proof:
        if not last:
            raise ProofFailed("the proof is longer than it must be")
        if node & 1 or node == last:
            found = node_hash(hashed, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, hashed)
        node, last = node >> 1, last >> 1
    if last or found != root:
        raise ProofFailed(f"the entry at {index} is not in the tree with that root")


def check_consistency(earlier: int, before: bytes, later: int, after: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree of size *later* and root *after* begins with that of *earlier* and *before* (RFC 9162
    §2.1.4.2).

    :raises ProofFailed: when *proof* does not prove it.
    """
    if earlier > later:
        raise ProofFailed("the earlier tree is the larger one")
    if earlier in (0, later):
        if proof or (earlier == later and before != after):
            raise ProofFailed("two trees of one size have different roots" if not proof else "this needs no proof")
        return
    hashes = [before, *proof] if earlier & earlier - 1 == 0 else list(proof)
    if not hashes:
        raise ProofFailed("the proof is shorter than it must be")
    node, last = earlier - 1, later - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = hashes[0]
    for hashed in hashes[1:]:
        if not last:
            raise ProofFailed("the proof is longer than it must be")
        if node & 1 or node == last:
            old, new = node_hash(hashed, old), node_hash(hashed, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, hashed)
        node, last = node >> 1, last >> 1
    if last or (old, new) != (before, after):
        raise ProofFailed("the later tree does not begin with the earlier one")
