"""Service secrets: kept apart from the data directory, each with a number that is kept in what it made.

A secret is a file ``<name>.<number>`` of 64 hexadecimal digits, mode 0600, in a directory of mode 0700 or in
systemd's ``$CREDENTIALS_DIRECTORY`` (names may carry the credential's prefix, ``<prefix>_<name>.<number>``). The
highest number is current; older ones still check and open what they made.
"""

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Generic, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cjsm.vault import hybrid
from cjsm.vault.errors import MissingSecret
from cjsm.vault.signing import SigningKey

NAMES = ("pepper", "acceptance", "queue", "community", "ledger", "cache")
_OCTETS = 32

Made = TypeVar("Made")


class Versions(Generic[Made]):
    """Every version of one service secret."""

    __slots__ = ("_by_number", "_name", "number")

    def __init__(self, name: str, by_number: Mapping[int, Made]) -> None:
        self._name = name
        self._by_number = dict(by_number)
        self.number = max(self._by_number)

    @property
    def current(self) -> Made:
        """The version that new things are made with; :attr:`number` is its number."""
        return self._by_number[self.number]

    def of(self, number: int) -> Made:
        """Return version *number*.

        :raises MissingSecret: when it is not there any more.
        """
        try:
            return self._by_number[number]
        except KeyError:
            raise MissingSecret(
                f"service secret {self._name}.{number} is missing", "restore it from the escrow of the secrets"
            ) from None


class ServiceSecrets:
    """The service's own secrets.

    :ivar peppers: mixed into every verifier and key-encryption key.
    :ivar acceptance: signs each delivery at acceptance.
    :ivar queue: opens the spool's envelopes.
    :ivar community: signs the public keys of mailboxes.
    :ivar ledger: signs the ledger's checkpoints.
    :ivar cache: keys tags and pseudonyms; losing it loses nothing.
    """

    __slots__ = ("acceptance", "cache", "community", "ledger", "peppers", "queue")

    def __init__(self, octets: Mapping[str, Mapping[int, bytes]]) -> None:
        def versions(name: str, make: Callable[[bytes], Made]) -> Versions[Made]:
            return Versions(name, {number: make(value) for number, value in octets[name].items()})

        def signing(value: bytes) -> SigningKey:
            return SigningKey(Ed25519PrivateKey.from_private_bytes(value))

        self.peppers = versions("pepper", bytes)
        self.acceptance = versions("acceptance", signing)
        self.queue = versions("queue", hybrid.PrivateKey)
        self.community = versions("community", signing)
        self.ledger = versions("ledger", signing)
        self.cache = versions("cache", bytes)


def generate() -> ServiceSecrets:
    """Return fresh secrets that are nowhere kept, for tests and measurements."""
    return ServiceSecrets({name: {1: os.urandom(_OCTETS)} for name in NAMES})


def create(directory: Path) -> None:
    """Make *directory* with the first version of every secret that is missing there.

    :raises OSError: when the directory cannot be written.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    present = {path.name.split(".")[0] for path in directory.iterdir()}
    for name in NAMES:
        if name not in present:
            descriptor = os.open(directory / f"{name}.1", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(os.urandom(_OCTETS).hex() + "\n")
                file.flush()
                os.fsync(file.fileno())


def load(directory: Path) -> ServiceSecrets:
    """Read the secrets from ``$CREDENTIALS_DIRECTORY`` when it holds them, else from *directory*.

    :raises MissingSecret: when one is missing, unreadable, malformed or readable by others.
    """
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    if credentials:
        found = _read(Path(credentials))
        if found:
            return _complete(found, Path(credentials))
    _check_mode(directory, 0o077)
    return _complete(_read(directory), directory)


def _read(directory: Path) -> dict[str, dict[int, bytes]]:
    found: dict[str, dict[int, bytes]] = {}
    for path in sorted(directory.iterdir()):
        name, _, number = path.name.rpartition(".")
        name = name.rpartition("_")[2]
        if name in NAMES and number.isdecimal():
            _check_mode(path, 0o037)
            found.setdefault(name, {})[int(number)] = _octets(path)
    return found


def _octets(path: Path) -> bytes:
    try:
        value = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise MissingSecret(f"{path} cannot be read: {error}", "restore it from the escrow of the secrets") from None
    if len(value) != _OCTETS:
        raise MissingSecret(f"{path} is damaged", "restore it from the escrow of the secrets")
    return value


def _check_mode(path: Path, forbidden: int) -> None:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise MissingSecret(
            f"{path} cannot be read: {error.strerror}", "run `cjsm init`, or correct store.secrets_directory"
        ) from None
    if mode & forbidden:
        cure = f"chmod {'700' if path.is_dir() else '600'} {path}"
        raise MissingSecret(f"{path} can be read or changed by others (mode {mode:o})", cure)


def _complete(found: dict[str, dict[int, bytes]], directory: Path) -> ServiceSecrets:
    missing = [name for name in NAMES if name not in found]
    if missing:
        raise MissingSecret(
            f"{directory} lacks {', '.join(missing)}",
            "restore them from the escrow of the secrets, or run `cjsm init` for a new community",
        )
    return ServiceSecrets(found)
