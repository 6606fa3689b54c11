"""Service secrets: kept apart from the data directory, each with a number that is kept in what it made.

A secret is a file ``<name>.<number>`` of 64 hexadecimal digits, mode 0600, in a directory of mode 0700 or in
systemd's ``$CREDENTIALS_DIRECTORY`` (names may carry the credential's prefix, ``<prefix>_<name>.<number>``). The
highest number is current; older ones still check and open what they made. A key pair has its public half beside it in
``<name>.<number>.public``, for processes that must not hold the private one.

An RSA key (``dkim-rsa.<number>``) cannot be made of 32 octets: its file has the hexadecimal digits of its PKCS #8
form. The keys of :data:`OPTIONAL` may be missing, as they are where a community was made before they were thought of.
"""

import os
import stat
from collections.abc import Callable, Collection, Container, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from cjsm.community.identifiers import Entropy
from cjsm.vault import hybrid
from cjsm.vault.errors import Malformed, MissingSecret
from cjsm.vault.signing import SigningKey, VerifyingKey

if TYPE_CHECKING:
    from cjsm.vault.dkimkeys import DkimSigningKey

NAMES = ("pepper", "acceptance", "queue", "community", "ledger", "cache")
#: What a community can do without: mail that leaves is then not signed.
OPTIONAL = ("dkim-rsa", "dkim-ed25519")
EVERY = NAMES + OPTIONAL
#: What a process holds that only takes mail in and lets people read: it can neither open envelopes nor sign keys.
DOORS = ("pepper", "acceptance", "cache")
_PAIRS = ("acceptance", "queue", "community", "ledger")
_RESTORE = (
    "correct store.secrets_directory or its owner, or restore the secrets from where they are kept safe; where the "
    "service holds them as credentials, set CREDENTIALS_DIRECTORY=/run/credentials/cjsm.service"
)
_OCTETS = 32
#: The stored form of an RSA key is no longer than this; ours has some 1,200 octets.
RSA_MOST = 4_096
_MOST = 255

Octets = Mapping[str, Mapping[int, bytes]]
Made = TypeVar("Made")
Made_co = TypeVar("Made_co", covariant=True)


class Versions(Generic[Made_co]):
    """Every version of one service secret; shows nothing of them."""

    __slots__ = ("_by_number", "_name", "_newest")

    def __init__(self, name: str, by_number: Mapping[int, Made_co]) -> None:
        self._name = name
        self._by_number = dict(by_number)
        self._newest = max(self._by_number, default=0)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of all versions that this process holds, oldest first; of an optional secret perhaps none."""
        return tuple(sorted(self._by_number))

    @property
    def number(self) -> int:
        """The number of the current version, 1 to 255.

        :raises MissingSecret: when this process does not hold the secret.
        """
        self.of(self._newest)
        return self._newest

    @property
    def current(self) -> Made_co:
        """The version that new things are made with; :attr:`number` is its number.

        :raises MissingSecret: when this process does not hold the secret.
        """
        return self.of(self._newest)

    def of(self, number: int) -> Made_co:
        """Return version *number*.

        :raises MissingSecret: when it is not there (any more).
        """
        try:
            return self._by_number[number]
        except KeyError:
            if not self._by_number:
                raise MissingSecret(
                    f"this process does not hold the service secret {self._name}",
                    "ask the process that does, or start this one with all secrets",
                ) from None
            raise MissingSecret(
                f"service secret {self._name}.{number} is missing", "restore it from the escrow of the secrets"
            ) from None


class ServiceSecrets:
    """The service's own secrets. What a process does not hold raises MissingSecret when it is used.

    :ivar peppers: mixed into every verifier and key-encryption key.
    :ivar acceptance: signs each delivery at acceptance.
    :ivar queue: opens the spool's envelopes; ``queue_public`` seals them.
    :ivar community: signs the public keys of mailboxes.
    :ivar ledger: signs the ledger's checkpoints.
    :ivar cache: keys tags and pseudonyms, and seals the message trace; losing it loses that and nothing else.
    :ivar dkim_rsa: signs mail that leaves for a connection; likewise ``dkim_ed25519``. Either may have no version.
    :ivar acceptance_public: checks what ``acceptance`` signed; likewise ``community_public``, ``ledger_public``.
    """

    __slots__ = (
        "acceptance",
        "acceptance_public",
        "cache",
        "community",
        "community_public",
        "dkim_ed25519",
        "dkim_rsa",
        "ledger",
        "ledger_public",
        "peppers",
        "queue",
        "queue_public",
    )

    def __init__(self, octets: Octets, public: Octets | None = None) -> None:
        def versions(name: str, make: Callable[[bytes], Made]) -> Versions[Made]:
            return Versions(name, {number: make(value) for number, value in octets.get(name, {}).items()})

        def halves(name: str, make: Callable[[bytes], Made]) -> Versions[Made]:
            told = {**(public or {}).get(name, {}), **_public_halves(name, octets.get(name, {}))}
            return Versions(f"{name} (public half)", {number: make(value) for number, value in told.items()})

        self.peppers = versions("pepper", bytes)
        self.acceptance = versions("acceptance", SigningKey.from_octets)
        self.queue = versions("queue", hybrid.PrivateKey)
        self.community = versions("community", SigningKey.from_octets)
        self.ledger = versions("ledger", SigningKey.from_octets)
        self.cache = versions("cache", bytes)
        self.dkim_rsa = versions("dkim-rsa", _dkim_rsa)
        self.dkim_ed25519 = versions("dkim-ed25519", _dkim_ed25519)
        self.queue_public = halves("queue", hybrid.PublicKey)
        self.acceptance_public = halves("acceptance", VerifyingKey.from_octets)
        self.community_public = halves("community", VerifyingKey.from_octets)
        self.ledger_public = halves("ledger", VerifyingKey.from_octets)


def _dkim_rsa(octets: bytes) -> "DkimSigningKey":
    # RSA and its forms are much to import; only what signs mail, or makes keys for it, waits for that.
    from cjsm.vault.dkimkeys import DkimSigningKey

    return DkimSigningKey.rsa(octets)


def _dkim_ed25519(octets: bytes) -> "DkimSigningKey":
    from cjsm.vault.dkimkeys import DkimSigningKey

    return DkimSigningKey.ed25519(octets)


def _public_halves(name: str, private: Mapping[int, bytes]) -> dict[int, bytes]:
    return {number: _public_half(name, value) for number, value in private.items()}


def _public_half(name: str, private: bytes) -> bytes:
    return hybrid.PrivateKey(private).public if name == "queue" else SigningKey.from_octets(private).public.octets


def generate(entropy: Entropy = os.urandom) -> ServiceSecrets:
    """Return fresh secrets that are nowhere kept, for tests and measurements; without the optional ones."""
    return ServiceSecrets({name: {1: entropy(_OCTETS)} for name in NAMES})


def create(directory: Path, entropy: Entropy = os.urandom) -> None:
    """Make *directory* with the first version of every secret, and every public half, that is missing there.

    :param entropy: for all but RSA keys, which the library makes with randomness of its own.
    :raises MissingSecret: when what is there already cannot be read.
    :raises OSError: when the directory cannot be written.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _make_missing(directory, EVERY, entropy)
    _publish(directory)


def complete(directory: Path, entropy: Entropy = os.urandom) -> tuple[str, ...]:
    """Make the first version of every optional secret that is missing, beside those of a community that exists.

    :return: the names of what was made; empty where *directory* is not where the secrets are kept.
    :raises MissingSecret: when what is there already cannot be read.
    :raises OSError: when the directory cannot be written.
    """
    if not directory.is_dir() or not all(name in _read(directory, NAMES) for name in NAMES):
        return ()
    return _make_missing(directory, OPTIONAL, entropy)


def _make_missing(directory: Path, names: Collection[str], entropy: Entropy) -> tuple[str, ...]:
    present = _read(directory, names)
    missing = tuple(name for name in names if name not in present)
    for name in missing:
        _write(directory / f"{name}.1", _fresh(name, entropy))
    return missing


def _fresh(name: str, entropy: Entropy) -> bytes:
    if name != "dkim-rsa":
        return entropy(_OCTETS)
    from cjsm.vault.dkimkeys import make_rsa

    return make_rsa()


def rotate(directory: Path, name: str, entropy: Entropy = os.urandom) -> int:
    """Add a new version of the secret *name*, which is current from the next load, and return its number.

    :raises MissingSecret: when the secrets cannot be read, or *name* is none of them or has had 255 versions.
    """
    present = _read(directory, EVERY)
    number = max(present.get(name, {0: b""})) + 1
    if name not in present or number > _MOST:
        cure = f"name one of {', '.join(EVERY)}; each may have {_MOST} versions"
        raise MissingSecret(f"{directory} has no secret {name} that could be rotated", cure)
    _write(directory / f"{name}.{number}", _fresh(name, entropy))
    _publish(directory)
    return number


def _publish(directory: Path) -> None:
    private = _read(directory, _PAIRS)
    for name in _PAIRS:
        for number, octets in private.get(name, {}).items():
            path = directory / f"{name}.{number}.public"
            if not path.exists():
                _write(path, _public_half(name, octets))
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(path: Path, octets: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(octets.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())


def load(directory: Path, private: Collection[str] = EVERY) -> ServiceSecrets:
    """Read the secrets from ``$CREDENTIALS_DIRECTORY`` when it holds them, else from *directory*.

    :param private: the secrets that this process must hold, such as :data:`DOORS`; the optional ones among them may
        be missing. The files of others are not even
        read: of those that are key pairs, the public half must be there.
    :raises MissingSecret: when one is missing, unreadable, malformed or readable by others.
    """
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    if credentials:
        found = _read(Path(credentials), private)
        if found:
            return _complete(found, Path(credentials), private)
    _check_mode(directory, 0o077)
    return _complete(_read(directory, private), directory, private)


def _complete(found: dict[str, dict[int, bytes]], directory: Path, private: Collection[str]) -> ServiceSecrets:
    public = {name: _read_public(directory, name) for name in _PAIRS if name not in private}
    missing = [name for name in NAMES if name in private and name not in found]
    missing += [f"{name}.1.public" for name, versions in public.items() if not versions]
    if missing:
        raise MissingSecret(
            f"{directory} lacks {', '.join(missing)}",
            _RESTORE,
        )
    try:
        return ServiceSecrets(found, public)
    except Malformed as error:
        raise MissingSecret(
            f"{directory} holds a damaged key: {error}", "restore it from where the secrets are kept safe"
        ) from None


def _read(directory: Path, private: Collection[str]) -> dict[str, dict[int, bytes]]:
    found: dict[str, dict[int, bytes]] = {}
    for path in _files(directory):
        name, _, number = path.name.rpartition(".")
        name = name.rpartition("_")[2]
        if name in private and number.isascii() and number.isdecimal():
            _check_mode(path, 0o037)
            found.setdefault(name, {})[_number(path, number)] = _secret(path, name)
    return found


def _secret(path: Path, name: str) -> bytes:
    return _octets(path, range(1, RSA_MOST + 1) if name == "dkim-rsa" else (_OCTETS,))


def _read_public(directory: Path, name: str) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    for path in _files(directory):
        stem, _, kind = path.name.rpartition(".")
        told, _, number = stem.rpartition(".")
        if kind == "public" and told.rpartition("_")[2] == name and number.isascii() and number.isdecimal():
            _check_mode(path, 0o022)
            found[_number(path, number)] = _octets(path, (hybrid.PUBLIC if name == "queue" else _OCTETS,))
    return found


def _files(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except OSError as error:
        raise _unreadable(directory, error) from None


def _number(path: Path, digits: str) -> int:
    if not 1 <= int(digits[:4]) <= _MOST or len(digits) > 3:
        cure = "move it away: it is not a secret of this service"
        raise MissingSecret(f"{path} has a number outside 1 to {_MOST}", cure)
    return int(digits)


def _octets(path: Path, lengths: Container[int]) -> bytes:
    try:
        value = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except OSError as error:
        raise _unreadable(path, error) from None
    except ValueError:
        value = b""
    if len(value) not in lengths:
        raise MissingSecret(f"{path} is damaged", "restore it from the escrow of the secrets")
    return value


def _check_mode(path: Path, forbidden: int) -> None:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise _unreadable(path, error) from None
    if mode & forbidden:
        cure = f"chmod {'700' if path.is_dir() else '600'} {path}"
        raise MissingSecret(f"{path} can be read or changed by others (mode {mode:o})", cure)


def _unreadable(path: Path, error: OSError) -> MissingSecret:
    return MissingSecret(f"{path} cannot be read: {error.strerror}", _RESTORE)
