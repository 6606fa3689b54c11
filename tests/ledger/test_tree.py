"""The tree of RFC 6962, against the vectors of Certificate Transparency, and proofs of all sizes."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.ledger import proofs, tree
from cjsm.ledger.errors import ProofFailed
from cjsm.ledger.tree import EMPTY, WIDTH, Tile, Tree, full_root, leaf_hash, node_hash, root_of, split, widths

#: The reference tree of Certificate Transparency: its eight leaves, and its roots from one leaf to eight, as
#: google/certificate-transparency has them in ``cpp/merkletree/merkle_tree_test.cc`` (and transparency-dev/merkle in
#: ``testonly/constants.go``).
LEAVES = [
    bytes.fromhex(each)
    for each in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
#: Its audit paths: (leaf from 1, size, path), from the same place.
PATHS = [
    (1, 1, []),
    (
        1,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (3, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        2,
        5,
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]
#: Its consistency proofs: (earlier size, later size, proof), from the same place.
CONSISTENCY = [
    (1, 1, []),
    (
        1,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        [
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]


def plain_root(leaves: list[bytes]) -> bytes:
    """The root as RFC 6962 section 2.1 defines it."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    return node_hash(plain_root(leaves[: split(len(leaves))]), plain_root(leaves[split(len(leaves)) :]))


def hashes(count: int) -> list[bytes]:
    return [leaf_hash(number.to_bytes(4, "big")) for number in range(count)]


class Subtrees:
    """Roots of subtrees of a list of leaves."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.leaves = leaves

    def __call__(self, low: int, high: int) -> bytes:
        return plain_root(self.leaves[low:high])


def test_reference_tree() -> None:
    """Certificate Transparency's roots, audit paths and consistency proofs are ours."""
    leaves = [leaf_hash(each) for each in LEAVES]
    assert hashlib.sha256().digest() == EMPTY == root_of([])
    assert EMPTY.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    for size, root in enumerate(ROOTS, 1):
        assert root_of(leaves[:size]).hex() == root
    subtrees = Subtrees(leaves)
    for number, size, path in PATHS:
        assert [each.hex() for each in proofs.inclusion(number - 1, size, subtrees)] == path
        given = [bytes.fromhex(each) for each in path]
        proofs.check_inclusion(leaves[number - 1], number - 1, size, bytes.fromhex(ROOTS[size - 1]), given)
    for earlier, later, proof in CONSISTENCY:
        assert [each.hex() for each in proofs.consistency(earlier, later, subtrees)] == proof
        given = [bytes.fromhex(each) for each in proof]
        roots = [bytes.fromhex(ROOTS[each - 1]) for each in (earlier, later)]
        proofs.check_consistency(earlier, roots[0], later, roots[1], given)


def test_every_small_tree() -> None:
    """All proofs of all trees of up to 40 entries hold, and no other entry, size or root does with them."""
    leaves = hashes(40)
    subtrees = Subtrees(leaves)
    roots = [plain_root(leaves[:size]) for size in range(41)]
    for size in range(1, 41):
        assert root_of(leaves[:size]) == roots[size]
        for index in range(size):
            proof = proofs.inclusion(index, size, subtrees)
            proofs.check_inclusion(leaves[index], index, size, roots[size], proof)
            for wrong in ((leaves[index - 1] if size > 1 else roots[2], index, size), (leaves[index], index + 1, size)):
                with pytest.raises(ProofFailed):
                    proofs.check_inclusion(*wrong, roots[size], proof)
        for earlier in range(size + 1):
            proof = proofs.consistency(earlier, size, subtrees)
            proofs.check_consistency(earlier, roots[earlier], size, roots[size], proof)
            if 0 < earlier < size:
                with pytest.raises(ProofFailed):
                    proofs.check_consistency(earlier, roots[earlier - 1], size, roots[size], proof)
                with pytest.raises(ProofFailed):
                    proofs.check_consistency(earlier, roots[earlier], size, roots[size - 1], proof)


@given(st.integers(1, 600), st.data())
def test_damaged_proofs(size: int, data: st.DataObject) -> None:
    """A proof that was shortened, lengthened or changed anywhere proves nothing."""
    leaves = hashes(size)
    known: dict[tuple[int, int], bytes] = {}

    def subtree(low: int, high: int) -> bytes:
        if (low, high) not in known:
            known[low, high] = root_of(leaves[low:high])
        return known[low, high]

    root = subtree(0, size)
    index = data.draw(st.integers(0, size - 1))
    earlier = data.draw(st.integers(1, size))
    inclusion, consistency = proofs.inclusion(index, size, subtree), proofs.consistency(earlier, size, subtree)
    proofs.check_inclusion(leaves[index], index, size, root, inclusion)
    proofs.check_consistency(earlier, subtree(0, earlier), size, root, consistency)
    for proof, check in (
        (inclusion, lambda given: proofs.check_inclusion(leaves[index], index, size, root, given)),
        (consistency, lambda given: proofs.check_consistency(earlier, subtree(0, earlier), size, root, given)),
    ):
        at = data.draw(st.integers(0, len(proof)))
        wrong = [[*proof[:at], root, *proof[at:]]]
        if at < len(proof):
            wrong += [proof[:at] + proof[at + 1 :], [*proof[:at], leaf_hash(proof[at]), *proof[at + 1 :]]]
        for each in wrong:
            with pytest.raises(ProofFailed):
                check(each)


def test_tiles() -> None:
    """Every 256 hashes of a level are a tile, and the edge is what the specification's example says."""
    growing = Tree()
    full: list[Tile] = []
    for leaf in hashes(70_000):
        full += growing.append(leaf)
    assert sum(tile.level == 0 for tile in full) == 273
    assert [(tile.index, tile.width) for tile in full if tile.level == 1] == [(0, WIDTH)]
    assert [(tile.level, tile.width) for tile in growing.partial()] == [(0, 112), (1, 17), (2, 1)]
    assert list(widths(256)) == [(1, 0, 1)]
    lower = [full_root(tree.cut(tile.hashes)) for tile in full if tile.level == 0]
    assert growing.partial()[2].hashes == full_root(lower[:256])


@given(st.integers(0, 1_200), st.integers(0, 600))
def test_goes_on(size: int, more: int) -> None:
    """A tree that was put away and taken up again is the one that never was."""
    leaves = hashes(size + more)
    whole, before = Tree(), Tree()
    for leaf in leaves:
        whole.append(leaf)
    for leaf in leaves[:size]:
        before.append(leaf)
    again = Tree.at(size, before.partial())
    assert (again.size, again.root()) == (size, root_of(leaves[:size]))
    full = [tile for leaf in leaves[size:] for tile in again.append(leaf)]
    assert (again.root(), again.partial()) == (whole.root(), whole.partial())
    assert [tile.index for tile in full if tile.level == 0] == list(range(size // WIDTH, (size + more) // WIDTH))


def test_other_tiles() -> None:
    """Tiles of another size are not taken."""
    made = Tree()
    for leaf in hashes(300):
        made.append(leaf)
    for tiles in ([], made.partial()[:1], made.partial()[::-1]):
        with pytest.raises(ValueError, match="not the tiles"):
            Tree.at(300, tiles)
    assert tree.cut(made.partial()[0].hashes)[0] == hashes(257)[256]
