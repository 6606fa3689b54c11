"""Opens a mailbox given its owner's password or device password: the specification as a program.

    python docs/specifications/open_mailbox.py DATA SECRETS jane.smith@avon < password

It uses nothing of this software, only the libraries cryptography, lmdb and msgspec, and checks what a reader has to
check. It is for whoever writes another implementation, or has to read mail when this software is long gone. Names are
those of ``vault.md`` and ``stores.md``. It only reads. Run it on a copy, or on a service that is stopped.
"""

import base64
import hashlib
import hmac
import re
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lmdb
import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PrivateKey, Suite
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

SUITE = 1
SEGMENT = 65_536
HPKE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class Wrong(Exception):
    """Something is not what it should be."""


def bound(tag: bytes, *fields: bytes | int) -> bytes:
    """``B"tag"(field …)`` of the specification."""
    octets = [field.to_bytes(8, "big") if isinstance(field, int) else field for field in fields]
    return b"\x01" + b"".join(len(each).to_bytes(4, "big") + each for each in (tag, *octets))


def open_once(key: bytes, sealed: bytes, aad: bytes) -> bytes:
    """``once`` of the specification, opened."""
    return AESGCM(key).decrypt(sealed[:12], sealed[12:], aad)


class Pair:
    """A key pair from its seed."""

    def __init__(self, seed: bytes) -> None:
        stretched = hashlib.shake_256(seed).digest(96)
        mlkem = MLKEM768PrivateKey.from_seed_bytes(stretched[:64])
        x25519 = X25519PrivateKey.from_private_bytes(stretched[64:])
        self.public = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
        self._private = MLKEM768X25519PrivateKey(mlkem, x25519)

    def open(self, sealed: bytes, info: bytes) -> bytes:
        """HPKE, opened."""
        return HPKE.decrypt(sealed, self._private, info)


class Secrets:
    """Service secrets: ``<name>.<number>``."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def of(self, name: str, number: int) -> bytes:
        """Return one version."""
        return bytes.fromhex((self._directory / f"{name}.{number}").read_text("ascii"))

    def verify(self, name: str, number: int, signature: bytes, message: bytes) -> None:
        """Check an Ed25519 signature of the service's own."""
        Ed25519PrivateKey.from_private_bytes(self.of(name, number)).public_key().verify(signature, message)


class Store:
    """One LMDB file, read only."""

    def __init__(self, path: Path) -> None:
        self._environment = lmdb.open(str(path), subdir=False, readonly=True, lock=False, max_dbs=16)

    def get(self, table: str, key: bytes) -> bytes | None:
        """Return a value."""
        with self._environment.begin() as transaction:
            found = transaction.get(key, db=self._environment.open_db(table.encode(), transaction, create=False))
            return bytes(found) if found is not None else None

    def values(self, table: str) -> list[bytes]:
        """Return every value, in order of the keys."""
        with self._environment.begin() as transaction:
            database = self._environment.open_db(table.encode(), transaction, create=False)
            return [bytes(value) for _, value in transaction.cursor(db=database)]

    def close(self) -> None:
        """Close it."""
        self._environment.close()


def newest(directory: Path, stem: str) -> Path:
    """Return the file with the highest number: what was compacted goes on in the next."""

    def number(path: Path) -> int:
        found = re.fullmatch(rf"{stem}(?:\.(\d+))?\.mdb", path.name)
        return int(found[1] or 1) if found else 0

    return max(directory.glob(f"{stem}*.mdb"), key=number)


def record(stored: bytes | None) -> dict[str, Any]:
    """Return a record of the community or of the key store: 01, then MessagePack by field name."""
    if not stored or stored[0] != 1:
        raise Wrong("no such record, or one of another version")
    decoded: dict[str, Any] = msgspec.msgpack.decode(stored[1:])
    return decoded


def device_secret(typed: str) -> bytes | None:
    """Return the random octets of a device password; None for a chosen one."""
    squeezed = typed.replace("-", "").replace(" ", "").lower()
    if not squeezed.startswith("d"):
        return None
    coded = squeezed[1:].upper()
    try:
        octets = base64.b32decode(coded + "=" * (-len(coded) % 8))
    except ValueError:
        return None
    checksum = hmac.digest(b"cjsm secret checksum", bound(b"d", octets[:-2]), "sha256")[:2]
    return octets[:-2] if len(octets) == 20 and octets[-2:] == checksum else None


def slot_keys(keys: dict[str, Any], typed: str, secrets: Secrets) -> Iterator[tuple[bytes, list[Any]]]:
    """Yield (key, slot) for each slot that the secret may open."""
    random = device_secret(typed)
    if random is None:
        _, number, salt, memory, passes = keys["password_stretch"]
        password = unicodedata.normalize("NFC", re.sub(r"[^\S ]", " ", typed)).encode()
        derived = Argon2id(salt=salt, length=32, iterations=passes, lanes=1, memory_cost=memory).derive(password)
        pepper = secrets.of("pepper", number)
        key = HKDF(hashes.SHA256(), 32, pepper, bound(b"cjsm password key", SUITE)).derive(derived)
        yield from ((key, slot) for slot in keys["password_slots"])
        return
    for device in keys["devices"]:
        for slot in device["slots"]:
            info = bound(b"cjsm system secret key", SUITE, b"d")
            yield HKDF(hashes.SHA256(), 32, secrets.of("pepper", slot[5]), info).derive(random), slot


def mail_seeds(keys: dict[str, Any], typed: str, secrets: Secrets) -> dict[int, bytes]:
    """Return the account's mail seeds by epoch."""
    public = {epoch: octets for _, _, epoch, octets, *_ in keys["epochs"]}
    seeds = {}
    for key, (_, account, epoch, kind, secret, pepper, wrapped, use) in slot_keys(keys, typed, secrets):
        aad = bound(b"cjsm slot", SUITE, use.encode(), account, epoch, kind.encode(), secret, pepper)
        try:
            seed = open_once(key, wrapped, aad)
        except Exception:  # noqa: BLE001 - another device's slot
            continue
        if Pair(seed).public != public[epoch]:
            raise Wrong("the account's seed does not give its public key")
        seeds[epoch] = seed
    if not seeds:
        raise Wrong("this secret opens nothing")
    return seeds


def generations(
    keys: dict[str, Any], mailbox: bytes, member: bytes, seeds: dict[int, bytes], secrets: Secrets
) -> dict[int, Pair]:
    """Return the key pairs of the mailbox's generations that the member was granted."""
    signed = {}
    for _, of, generation, public, number, signature in keys["generations"]:
        secrets.verify("community", number, signature, bound(b"cjsm mailbox key", SUITE, of, generation, public))
        if of == mailbox:
            signed[generation] = public
    opened = {}
    for _, of, generation, to, epoch, sealed in keys["grants"]:
        if (of, to) == (mailbox, member) and epoch in seeds:
            info = bound(b"cjsm grant", SUITE, of, generation, to, epoch)
            pair = Pair(Pair(seeds[epoch]).open(sealed, info))
            if pair.public != signed[generation]:
                raise Wrong("the granted seed does not give the signed public key: an alarm")
            opened[generation] = pair
    return opened


def rows(store: Store) -> Iterator[tuple[int, int, bytes, int]]:
    """Yield (uid, octets, delivery id, generation) of what is listed: 72 octets each, in pages."""
    for page in store.values("rows"):
        for start in range(0, len(page), 72):
            row = page[start : start + 72]
            yield (
                int.from_bytes(row[:8], "big"),
                int.from_bytes(row[8:16], "big"),
                row[16:32],
                int.from_bytes(row[32:36], "big"),
            )


def message(
    home: Path, store: Store, mailbox: bytes, row: tuple[int, int, bytes, int], pair: Pair, secrets: Secrets
) -> bytes:
    """Return one message, after checking that it was accepted for just this place."""
    _, _, delivery, generation = row
    kept = msgspec.msgpack.decode(store.get("messages", delivery) or b"")
    wrap = msgspec.msgpack.decode(kept[4][1:])
    _, of, sealed_to, delivery_id, body_id, octets, digest, sealed, moment, number, signature = wrap
    if (of, sealed_to, delivery_id) != (mailbox, generation, delivery):
        raise Wrong("the wrap is another message's")
    told = (body_id, digest, hashlib.sha256(sealed).digest(), octets, moment)
    statement = bound(b"cjsm accepted", SUITE, mailbox, generation, delivery, *told)
    secrets.verify("acceptance", number, signature, statement)
    opened = pair.open(sealed, bound(b"cjsm wrap", SUITE, mailbox, generation, delivery, body_id, octets, digest))
    body = store.get("bodies", delivery) or (home / "bodies" / delivery.hex()).read_bytes()
    if hashlib.sha256(body).digest() != digest:
        raise Wrong("the body is not the one that was accepted")
    text = opened[32:] + open_body(opened[:32], body_id, body)
    if len(text) != octets:
        raise Wrong("the length is not what was accepted")
    return text


def open_body(key: bytes, body_id: bytes, sealed: bytes) -> bytes:
    """Open a sealed body, segment by segment."""
    cipher = AESGCM(HKDFExpand(hashes.SHA256(), 32, bound(b"cjsm body key", SUITE, body_id)).derive(key))
    aad, size, opened = bound(b"cjsm body", SUITE, body_id), SEGMENT + 16, []
    for number, start in enumerate(range(0, len(sealed), size)):
        last = b"\x01" if start + size >= len(sealed) else b"\x00"
        opened.append(cipher.decrypt(number.to_bytes(11, "big") + last, sealed[start : start + size], aad))
    return b"".join(opened)


def open_mailbox(data: Path, secret_files: Path, user_id: str, typed: str) -> list[bytes]:
    """Return every message in a person's own mailbox that this secret opens, oldest first."""
    secrets = Secrets(secret_files)
    community, key_store = Store(data / "community.mdb"), Store(newest(data, "keys"))
    try:
        identifier = community.get("index", b"acc-user\0" + user_id.lower().encode()) or b""
        account = record(community.get("accounts", identifier))
        account_keys = record(key_store.get("keys", identifier + account["keys"].to_bytes(4, "big")))
        mailbox: bytes = account["mailbox"]
        mailbox_keys = record(key_store.get("keys", mailbox + account["mailbox_keys"].to_bytes(4, "big")))
    finally:
        community.close()
        key_store.close()
    seeds = mail_seeds(account_keys, typed, secrets)
    pairs = generations(mailbox_keys, mailbox, identifier, seeds, secrets)
    home = data / "mailboxes" / mailbox.hex()[:2] / mailbox.hex()
    if not home.exists():
        return []
    store = Store(newest(home, "mailbox"))
    try:
        listed = [row for row in rows(store) if row[3] in pairs]
        return [message(home, store, mailbox, row, pairs[row[3]], secrets) for row in listed]
    finally:
        store.close()


if __name__ == "__main__":
    for each in open_mailbox(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.stdin.readline().rstrip("\r\n")):
        sys.stdout.buffer.write(each + b"\r\n")
