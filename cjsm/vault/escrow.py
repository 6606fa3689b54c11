"""The service secrets for the safe: one sealed file, and shares of its key of which so many are needed (SLIP-0039).

A share is 33 words with a checksum, to be written on paper; any tool that knows SLIP-0039 puts shares together. Fewer
than are needed tell nothing.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct
from shamir_mnemonic import MnemonicError, combine_mnemonics, generate_mnemonics
from shamir_mnemonic.share import Share

from cjsm.community.identifiers import LENGTH, Entropy
from cjsm.vault.encoding import SUITE, bound, check_suite
from cjsm.vault.errors import Malformed, MissingSecret, NotAuthentic
from cjsm.vault.primitives import derive, open_once, seal_once
from cjsm.vault.secrets import EVERY

_MASTER = 32
#: Shares that SLIP-0039 can make at most.
MOST = 16
_NAME = re.compile(r"(?:[^_]*_)?((?:" + "|".join(EVERY) + r")\.[1-9][0-9]{0,2}(?:\.public)?)")
_CURE = "put the shares of one and the same escrow together, as many as it needs"


class Escrow(Struct, frozen=True, kw_only=True):
    """A sealed file, and the shares of its key, which are shown once and kept nowhere."""

    sealed: bytes
    shares: tuple[str, ...]

    def __repr__(self) -> str:
        return f"<Escrow of {len(self.shares)} shares>"


def read_files(directory: Path) -> dict[str, str]:
    """Return the service secrets in *directory* by file name, without a credential's prefix.

    :raises MissingSecret: when there are none.
    """
    found = {}
    for path in sorted(directory.iterdir()):
        name = _NAME.fullmatch(path.name)
        if name is not None:
            found[name[1]] = path.read_text(encoding="ascii")
    if not found:
        raise MissingSecret(f"{directory} holds no service secrets", "correct store.secrets_directory")
    return found


def make(files: dict[str, str], *, needed: int, shares: int, entropy: Entropy = os.urandom) -> Escrow:
    """Seal *files*; *needed* of the *shares* open them again.

    :raises Malformed: when the numbers make no sense.
    """
    if not 2 <= needed <= shares <= MOST:
        raise Malformed(f"of 2 to {MOST} shares at least two are needed, and not more than there are")
    master, identifier = entropy(_MASTER), entropy(LENGTH)
    sealed = seal_once(_key(master, identifier), msgspec.msgpack.encode(files), _binding(identifier), entropy)
    ((*told,),) = generate_mnemonics(group_threshold=1, groups=[(needed, shares)], master_secret=master)
    return Escrow(sealed=bytes((SUITE,)) + identifier + sealed, shares=tuple(told))


def open_escrow(sealed: bytes, shares: Iterable[str]) -> dict[str, str]:
    """Return the files by name.

    :raises NotAuthentic: when the shares are too few, wrong, or another escrow's, or the file was changed.
    """
    if len(sealed) <= 1 + LENGTH:
        raise NotAuthentic("this is no escrow of service secrets")
    check_suite(sealed[0])
    identifier = sealed[1 : 1 + LENGTH]
    try:
        master = combine_mnemonics(_enough([" ".join(share.lower().split()) for share in shares]))
    except (MnemonicError, ValueError, IndexError) as error:
        raise NotAuthentic(f"the shares do not fit together: {error}; {_CURE}") from None
    opened = open_once(_key(master, identifier), sealed[1 + LENGTH :], _binding(identifier))
    files = msgspec.msgpack.decode(opened, type=dict[str, str])
    if not all(_NAME.fullmatch(name) for name in files):
        raise NotAuthentic("an escrow holds service secrets and nothing else")
    return files


def _enough(shares: list[str]) -> list[str]:
    """Return as many of *shares* as are needed: putting together takes no more, and people bring all they have."""
    different = {Share.from_mnemonic(share).index: share for share in shares}
    needed = Share.from_mnemonic(shares[0]).member_threshold
    return list(different.values())[:needed]


def write_files(directory: Path, files: dict[str, str]) -> None:
    """Write *files* into *directory*, which is made, or is empty.

    :raises MissingSecret: when something is there already.
    :raises OSError: when it cannot be written.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise MissingSecret(f"{directory} is not empty", "name a directory that does not exist yet")
    for name, text in files.items():
        descriptor = os.open(directory / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())


def _key(master: bytes, identifier: bytes) -> bytes:
    return derive(master, identifier, bound(b"cjsm escrow key", SUITE))


def _binding(identifier: bytes) -> bytes:
    return bound(b"cjsm escrow", SUITE, identifier)
