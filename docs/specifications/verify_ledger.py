"""Verifies a ledger, or a proof of one entry: the specification as a program.

    python docs/specifications/verify_ledger.py ledger DIRECTORY KEYS [--checkpoint FILE]... [--earlier DIRECTORY]
    python docs/specifications/verify_ledger.py proof FILE KEYS [--words FILE]

It uses nothing of this software and trusts nothing but KEYS, a file with the ledger's public keys, which you got from
who runs the community and not together with what you verify. Of libraries it needs Python's own, and cryptography for
Ed25519 signatures. DIRECTORY is what ``cjsm audit export`` wrote. ``--checkpoint`` is a mail with a checkpoint, or the
lines of one: the ledger has to begin with what it stands for. ``--earlier`` is another, earlier export: both have to
have the same entries as far as that goes. ``--words`` is what ``cjsm audit show INDEX --json`` wrote: the words in it
have to be those that the entry has a commitment to. Names are those of ``ledger.md``.

It ends with 0 when everything is as it should be, and otherwise says what is not: where it can, which entry.
"""

import argparse
import base64
import email
import email.policy
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

WIDTH, HASH = 256, 32
DASH = "\N{EM DASH} "


class Wrong(Exception):
    """Something is not what it should be."""


class Checkpoint(NamedTuple):
    """A tree's size and root, as the ledger's key signed them."""

    size: int
    root: bytes


def sha256(*parts: bytes) -> bytes:
    """Return the SHA-256 of *parts*, one after the other."""
    return hashlib.sha256(b"".join(parts)).digest()


def leaf(entry: bytes) -> bytes:
    """Return an entry's hash (RFC 6962 section 2.1)."""
    return sha256(b"\0", entry)


def above(left: bytes, right: bytes) -> bytes:
    """Return the hash above two (RFC 6962 section 2.1)."""
    return sha256(b"\1", left, right)


# Signed checkpoints


def keys_of(text: str) -> dict[tuple[str, bytes], bytes]:
    """Return the public keys in a file of them, by the name and id that signatures have."""
    found = {}
    for line in text.split():
        name, told, key = line.split("+", 2)
        octets = base64.b64decode(key, validate=True)
        if octets[:1] != b"\1" or sha256(name.encode(), b"\n", octets)[:4].hex() != told:
            raise Wrong(f"{line} is no key")
        found[name, bytes.fromhex(told)] = octets[1:]
    if not found:
        raise Wrong("there are no keys")
    return found


def checkpoint_of(octets: bytes, keys: dict[tuple[str, bytes], bytes]) -> Checkpoint:
    """Return the checkpoint that one of *keys* signed as *octets*."""
    text, gap, under = octets.decode().rpartition("\n\n")
    text += "\n"
    signed = False
    for line in under.splitlines() if gap else ():
        dash, name, value = line.split(" ")
        signature = base64.b64decode(value, validate=True)
        key = keys.get((name, signature[:4]))
        if dash != DASH.strip() or key is None:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature[4:], text.encode())
        except InvalidSignature:
            raise Wrong("the signature under the checkpoint does not hold") from None
        signed = True
    if not signed:
        raise Wrong("none of the keys signed the checkpoint")
    origin, size, root, *_ = text.splitlines()
    if origin not in {name for name, _ in keys} or size != str(int(size)) or len(base64.b64decode(root)) != HASH:
        raise Wrong("this is no checkpoint of the ledger with these keys")
    return Checkpoint(int(size), base64.b64decode(root))


def checkpoint_in(octets: bytes, keys: dict[tuple[str, bytes], bytes]) -> Checkpoint:
    """Return the checkpoint in a mail that was saved, or in lines that were copied out of it."""
    text = octets.decode("utf-8", errors="replace")
    if ":" in text.split("\n", 1)[0]:
        body = email.message_from_bytes(octets, policy=email.policy.default).get_body(("plain",))
        text = str(body.get_content()) if body is not None else text
    lines = [line.strip().removeprefix("> ").removeprefix(">") for line in text.splitlines()]
    first = next((at for at, line in enumerate(lines) if line in {name for name, _ in keys}), None)
    if first is None:
        raise Wrong("there is no checkpoint in it")
    gap = lines.index("", first)
    end = next((at for at in range(gap + 1, len(lines)) if not lines[at].startswith(DASH)), len(lines))
    return checkpoint_of("".join(f"{line}\n" for line in lines[first:end]).encode(), keys)


# The tree


def name_of(kind: str, index: int, width: int) -> str:
    """Return where a tile or a bundle is."""
    digits = f"{index:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    path = "/".join([*(f"x{part}" for part in parts[:-1]), parts[-1]])
    return f"tile/{kind}/{path}" + (f".p/{width}" if width < WIDTH else "")


def bundles(directory: Path, size: int) -> Iterator[tuple[int, list[bytes]]]:
    """Yield the entries of an export, a bundle at a time, each with the index of its first."""
    for index in range(-(-size // WIDTH)):
        width = min(WIDTH, size - index * WIDTH)
        path = directory / name_of("entries", index, width)
        octets = path.read_bytes() if path.exists() else (directory / name_of("entries", index, WIDTH)).read_bytes()
        entries, at = [], 0
        while at < len(octets) and len(entries) < width:
            end = at + 2 + int.from_bytes(octets[at : at + 2], "big")
            entries.append(octets[at + 2 : end])
            at = end
        if len(entries) < width:
            raise Wrong(f"entry {index * WIDTH + len(entries)} is missing")
        yield index * WIDTH, entries


class Tree:
    """A tree that grows, of which the roots of its perfect parts are held."""

    def __init__(self) -> None:
        self.size = 0
        self._parts: list[bytes] = []

    def append(self, hashed: bytes) -> None:
        """Append an entry's hash."""
        self.size += 1
        self._parts.append(hashed)
        size = self.size
        while size % 2 == 0:
            right = self._parts.pop()
            self._parts[-1] = above(self._parts[-1], right)
            size //= 2

    def root(self) -> bytes:
        """Return the root."""
        if not self._parts:
            return sha256()
        found = self._parts[-1]
        for part in reversed(self._parts[:-1]):
            found = above(part, found)
        return found


def verify_ledger(directory: Path, keys: dict[tuple[str, bytes], bytes], given: dict[str, Checkpoint]) -> Checkpoint:
    """Check all entries of an export against its checkpoint, and against others that were *given*."""
    signed = checkpoint_of((directory / "checkpoint").read_bytes(), keys)
    for what, checkpoint in given.items():
        if checkpoint.size > signed.size:
            raise Wrong(f"{what} is of {checkpoint.size} entries, and this ledger has {signed.size}: it was cut")
    tree, differs = Tree(), None
    wanted = {0, *(checkpoint.size for checkpoint in given.values())}
    roots = {0: tree.root()}
    for first, entries in bundles(directory, signed.size):
        path = directory / name_of("0", first // WIDTH, len(entries))
        known = path.read_bytes() if path.exists() else b""
        for place, entry in enumerate(entries):
            hashed = leaf(entry)
            if differs is None and known[place * HASH : (place + 1) * HASH] != hashed:
                differs = first + place
            tree.append(hashed)
            if tree.size in wanted:
                roots[tree.size] = tree.root()
    if tree.root() != signed.root:
        where = f"entry {differs} is the first that is" if differs is not None else "some entry is"
        raise Wrong(f"{where} not what it was when the ledger was signed")
    if differs is not None:
        raise Wrong(f"the tile with the hash of entry {differs} is damaged; the entries are those that were signed")
    for what, checkpoint in given.items():
        if roots[checkpoint.size] != checkpoint.root:
            raise Wrong(f"the first {checkpoint.size} entries are not those of {what}: at least one was changed")
    return signed


def compare(directory: Path, earlier: Path, size: int) -> None:
    """Check that an export begins with the entries of an *earlier* one."""
    before = int((earlier / "checkpoint").read_text("utf-8").splitlines()[1])
    if before > size:
        raise Wrong(
            f"the earlier export has {before} entries and this one {size}: entry {size} and what followed is gone"
        )
    # This one goes on: it may have more entries in the last bundle, and more bundles.
    for (first, old), (_, new) in zip(bundles(earlier, before), bundles(directory, size), strict=False):
        for place, (one, other) in enumerate(zip(old, new, strict=False)):
            if one != other:
                raise Wrong(f"entry {first + place} is not what it is in the earlier export")


# Proofs


def verify_proof(octets: bytes, keys: dict[tuple[str, bytes], bytes]) -> tuple[int, bytes]:
    """Check a proof of one entry (C2SP tlog-proof, RFC 9162 section 2.1.3.2); return its index and the entry."""
    head, _, note = octets.partition(b"\n\n")
    first, extra, index_line, *lines = head.decode("ascii").split("\n")
    if first != "c2sp.org/tlog-proof@v1" or not extra.startswith("extra ") or not index_line.startswith("index "):
        raise Wrong("this is no proof of an entry")
    signed, index = checkpoint_of(note, keys), int(index_line[6:])
    entry = base64.b64decode(extra[6:], validate=True)
    if not 0 <= index < signed.size:
        raise Wrong(f"the ledger of {signed.size} entries has none at {index}")
    node, last, found = index, signed.size - 1, leaf(entry)
    for hashed in (base64.b64decode(line, validate=True) for line in lines):
        if not last:
            raise Wrong("the proof is longer than it must be")
        if node & 1 or node == last:
            found = above(hashed, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = above(found, hashed)
        node, last = node >> 1, last >> 1
    if last or found != signed.root:
        raise Wrong(f"the entry is not at {index} in the ledger that was signed")
    return index, entry


# Entries


def joined(*fields: bytes) -> bytes:
    """Return *fields*, each behind its length."""
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def read(entry: bytes) -> dict[str, object]:
    """Return what an entry says."""
    fields, at = [], 0
    while at < len(entry):
        end = at + 4 + int.from_bytes(entry[at : at + 4], "big")
        fields.append(entry[at + 4 : end])
        at = end
    if at != len(entry) or fields[0] != b"cjsm ledger entry" or fields[1] not in (b"\1", b"\2"):
        raise Wrong("this is no entry of version 1 or 2")
    first = fields[1] == b"\1"
    names = [
        "act id",
        "act",
        "moment",
        "actor",
        *([] if first else ["organisation"]),
        "subject kind",
        "subject",
        "reason",
    ]
    told: dict[str, object] = {}
    for name, field in zip(names, fields[2:], strict=False):
        plain = name in ("act", "subject kind", "reason")
        told[name] = int.from_bytes(field, "big") if name == "moment" else field.decode() if plain else field.hex()
    rest = fields[2 + len(names) :]
    count = len(rest) // 2 if first else int.from_bytes(rest.pop(0), "big")
    pairs = list(zip(rest[::2], rest[1::2], strict=True))
    told["details"] = {name.decode(): value.decode() for name, value in pairs[:count]}
    told["commitments"] = {name.decode(): value.hex() for name, value in pairs[count:]}
    return told


def check_words(shown: dict[str, object], told: dict[str, object]) -> list[str]:
    """Check that words that were shown are those that an entry has commitments to; return them in lines."""
    commitments = told["commitments"]
    assert isinstance(commitments, dict)
    lines = []
    words = shown["words"]
    assert isinstance(words, list)
    for each in words:
        name, salt, text = each["name"], bytes.fromhex(each["salt"]), each["text"]
        made = sha256(joined(b"cjsm ledger words", b"\1", name.encode(), salt, text.encode()))
        if commitments.get(name) != made.hex():
            raise Wrong(f"the words called {name} are not those that were written with the entry")
        lines.append(f"{name}: {text}")
    return lines


def main(arguments: list[str]) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="Verify a ledger, or a proof of one entry.")
    ways = parser.add_subparsers(dest="way", required=True)
    whole = ways.add_parser("ledger")
    whole.add_argument("directory", type=Path)
    whole.add_argument("keys", type=Path)
    whole.add_argument("--checkpoint", type=Path, action="append", default=[])
    whole.add_argument("--earlier", type=Path)
    one = ways.add_parser("proof")
    one.add_argument("file", type=Path)
    one.add_argument("keys", type=Path)
    one.add_argument("--words", type=Path)
    given = parser.parse_args(arguments)
    keys = keys_of(given.keys.read_text("utf-8"))
    if given.way == "proof":
        index, entry = verify_proof(given.file.read_bytes(), keys)
        told = read(entry)
        print(f"entry {index} is in the ledger:")
        for name, value in told.items():
            print(f"  {name}: {value}")
        if given.words is not None:
            for line in check_words(json.loads(given.words.read_text("utf-8")), told):
                print(f"  {line}")
        return
    others = {str(path): checkpoint_in(path.read_bytes(), keys) for path in given.checkpoint}
    if given.earlier is not None:
        compare(given.directory, given.earlier, checkpoint_of((given.directory / "checkpoint").read_bytes(), keys).size)
    signed = verify_ledger(given.directory, keys, others)
    print(f"{signed.size} entries are as they were signed, root {signed.root.hex()}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (Wrong, OSError, ValueError) as error:
        sys.exit(f"WRONG: {error}")
