"""Signed notes, checkpoints and proofs, against published examples."""

import base64
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.ledger import notes
from cjsm.ledger.checkpoints import Checkpoint, origin_of
from cjsm.ledger.errors import Malformed
from cjsm.ledger.notes import Note, NoteKey
from cjsm.ledger.prooffiles import ProofFile
from cjsm.ledger.tiles import HashTiles, bundle, bundle_name, partial_directory, tile_name, unbundled
from cjsm.ledger.tree import Tree, leaf_hash, root_of
from cjsm.vault.errors import NotAuthentic
from cjsm.vault.signing import SigningKey, VerifyingKey

PAGE = Path(__file__).parents[2] / "docs" / "specifications" / "ledger.md"
#: Key and note of the documentation of golang.org/x/mod/sumdb/note, where the form comes from.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_SECRET = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_NOTE = (
    f"{GO_TEXT}\n\N{EM DASH} PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
).encode()
#: The example of C2SP tlog-checkpoint.
C2SP_CHECKPOINT = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "\N{EM DASH} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9n"
    "To+zyWE+xeMcTOAYQ8=\n"
).encode()
#: The example of C2SP signed-note: its text has an empty line.
C2SP_NOTE = (
    "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n"
    "\N{EM DASH} quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99i"
    "hAQwaqP3ZekRwNtIc=\n"
).encode()


def verify(public: bytes, signature: bytes, text: bytes) -> None:
    VerifyingKey.from_octets(public).verify(signature, text)


def signer(seed: int, name: str = "x.test/ledger") -> tuple[NoteKey, Callable[[bytes], bytes]]:
    key = SigningKey.from_octets(bytes([seed]) * 32)
    return NoteKey(name, key.public.octets), key.sign


def test_published_note() -> None:
    """A key that others made is read, checks the note that it signed, and makes the same one."""
    key = NoteKey.parse(GO_KEY)
    assert (key.text, key.id.hex()) == (GO_KEY, "c74f20a3")
    note = notes.parse(GO_NOTE)
    assert notes.check(note, [key], verify) == [key]
    secret = SigningKey.from_octets(base64.b64decode(GO_SECRET)[1:])
    assert bytes(notes.sign(GO_TEXT, [(key, secret.sign)])) == GO_NOTE


@pytest.mark.parametrize("octets", [C2SP_NOTE, C2SP_CHECKPOINT])
def test_published_forms(octets: bytes) -> None:
    """What the specifications show is read, and written as it was."""
    assert bytes(notes.parse(octets)) == octets


def test_published_checkpoint() -> None:
    """Origin, size and root."""
    checkpoint = Checkpoint.parse(notes.parse(C2SP_CHECKPOINT).text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert checkpoint.text.encode() == C2SP_CHECKPOINT.split(b"\n\n")[0] + b"\n"
    assert notes.parse(C2SP_CHECKPOINT).signatures[0].id.hex() == "033de0ae"


def test_specified() -> None:
    """The key of our own specification checks the checkpoint in it."""
    lines = [line.removeprefix("    ") for line in PAGE.read_text("utf-8").split("\n")]
    first = lines.index("cjsm.example/ledger")
    note = notes.parse("".join(f"{line}\n" for line in lines[first : first + 5]).encode())
    key = NoteKey.parse(next(line for line in lines if line.startswith("cjsm.example/ledger+")))
    assert notes.check(note, [key], verify) == [key]
    assert Checkpoint.parse(note.text).size == 1_234


def test_whose_signature_counts() -> None:
    """Those of other keys are left alone; one that is trusted must hold; without any the note is nothing."""
    (one, sign_one), (two, sign_two), (three, _) = signer(1), signer(2), signer(3)
    note = notes.sign("a\n", [(one, sign_one), (two, sign_two)])
    assert notes.check(note, [two], verify) == [two]
    assert notes.check(note, [one, two, three], verify) == [one, two]
    with pytest.raises(Malformed, match="no key that is trusted"):
        notes.check(note, [three], verify)
    forged = notes.sign("a\n", [(one, sign_two), (two, sign_two)])
    assert notes.check(forged, [two], verify) == [two]
    with pytest.raises(NotAuthentic):
        notes.check(forged, [one, two], verify)
    with pytest.raises(NotAuthentic):
        notes.check(Note("b\n", note.signatures), [one], verify)


@pytest.mark.parametrize(
    "wrong",
    [
        GO_NOTE[:-1],
        GO_NOTE.replace(b"\n\n", b"\n"),
        GO_NOTE.replace(b"\n", b"\r\n"),
        GO_NOTE.replace(b"PeterNeumann x", b"Peter+Neumann x"),
        GO_NOTE.replace(b"x08go", b"x08g"),
        GO_NOTE.replace("\N{EM DASH}".encode(), b"-"),
        GO_NOTE + GO_NOTE.split(b"\n\n")[1] * 100,
        GO_NOTE + b"\xff",
        b"\n\n" + GO_NOTE.split(b"\n\n")[1],
        b"x" * 65_537,
        b"",
    ],
)
def test_no_notes(wrong: bytes) -> None:
    """What is not quite a note is none."""
    with pytest.raises(Malformed):
        notes.parse(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "PeterNeumann+c74f20a3",
        GO_KEY.replace("c74f", "c74e"),
        GO_KEY.replace("+AR", "+BR"),
        "PeterNeumann+c74f20a3+AR==",
    ],
)
def test_no_keys(wrong: str) -> None:
    """A key that was not copied whole is none."""
    with pytest.raises(Malformed):
        NoteKey.parse(wrong)


@pytest.mark.parametrize(
    "wrong",
    ["a\n1\n", "a\n01\n{}\n", "a\n-1\n{}\n", "a\n1\n{}x\n", "a\n1\nAAAA\n", "\n1\n{}\n", "a\n1\n{}", "a\n\u0661\n{}\n"],
)
def test_no_checkpoints(wrong: str) -> None:
    """Each size has one form, and a root is a hash."""
    with pytest.raises(Malformed):
        Checkpoint.parse(wrong.format(base64.b64encode(bytes(32)).decode()))


@given(st.text(), st.binary(max_size=300))
def test_anything_else(text: str, octets: bytes) -> None:
    """Is none of it, and says so."""
    parsers: list[tuple[Callable[[Any], object], str | bytes]] = [
        (notes.parse, octets),
        (notes.parse, text.encode()),
        (Checkpoint.parse, text),
        (NoteKey.parse, text),
        (ProofFile.parse, octets),
        (ProofFile.parse, b"c2sp.org/tlog-proof@v1\n" + octets),
        (unbundled, octets),
    ]
    for parse, given_ in parsers:
        with suppress(Malformed):
            parse(given_)


def test_origin() -> None:
    """The ledger and its keys are called after the community."""
    assert origin_of("cjsm.test") == "cjsm.test/ledger"


def test_names() -> None:
    """Tiles lie where the specification says."""
    assert tile_name(0, 1_234_067) == "tile/0/x001/x234/067"
    assert tile_name(2, 0, 1) == "tile/2/000.p/1"
    assert bundle_name(273, 112) == "tile/entries/273.p/112"
    assert bundle_name(1_000) == "tile/entries/x001/000"
    for name in (bundle_name(273), bundle_name(273, 112)):
        assert partial_directory(name) == "tile/entries/273.p"


@given(st.lists(st.binary(max_size=300), max_size=10))
def test_bundles(entries: list[bytes]) -> None:
    """Entries come out of a bundle as they went in, and not out of one that was cut."""
    made = bundle(entries)
    assert unbundled(made) == entries
    if entries:
        with pytest.raises(Malformed):
            unbundled(made + b"\0")


def test_long_entries() -> None:
    """A bundle says lengths in two octets."""
    with pytest.raises(ValueError, match="65535"):
        bundle([bytes(65_536)])


@given(st.integers(1, 1_500), st.data())
def test_hashes_from_tiles(size: int, data: st.DataObject) -> None:
    """Roots of any subtree come from the tiles, whether these are partial still or full already."""
    leaves = [leaf_hash(number.to_bytes(4, "big")) for number in range(size + 300)]
    files: dict[str, bytes] = {}
    growing = Tree()
    for number, leaf in enumerate(leaves):
        if number == size and data.draw(st.booleans()):
            break
        for tile in growing.append(leaf):
            files[tile_name(tile.level, tile.index)] = tile.hashes
        if number == size - 1:
            files |= {tile_name(tile.level, tile.index, tile.width): tile.hashes for tile in growing.partial()}
    tiles = HashTiles(size, files.get)
    assert tiles.root() == root_of(leaves[:size])
    low = data.draw(st.integers(0, size))
    high = data.draw(st.integers(low, size))
    assert tiles.subtree(low, high) == root_of(leaves[low:high])


def test_proof_files() -> None:
    """A proof is read as it was written."""
    made = ProofFile(b"entry", 70, [bytes(32), b"x" * 32], C2SP_CHECKPOINT)
    octets = bytes(made)
    assert octets.startswith(b"c2sp.org/tlog-proof@v1\nextra ZW50cnk=\nindex 70\nAAAA")
    read = ProofFile.parse(octets)
    assert (read.entry, read.index, list(read.hashes), read.checkpoint) == (b"entry", 70, made.hashes, C2SP_CHECKPOINT)
    for wrong in (octets.replace(b"70", b"070"), octets.replace(b"@v1", b"@v2"), octets.replace(b"AAAA", b"AAA", 1)):
        with pytest.raises(Malformed):
            ProofFile.parse(wrong)
