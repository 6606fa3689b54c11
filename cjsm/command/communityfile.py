"""A file of the desired state as text: TOML with comments, one table for each thing, always in the same order."""

import hashlib
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import tomli_w
from msgspec import Struct

from cjsm.command.context import as_caller
from cjsm.command.output import Refused, when
from cjsm.community.desired.tables import FORMAT, KINDS, Desired
from cjsm.community.view import View

_HEAD = """\
# The community {suffix} as it was at {moment}.
#
# `cjsm community diff FILE` says how this differs from what there is, `cjsm community apply FILE` makes it so.
# What is not mentioned here, a table or a key of one, stays as it is. Things go only if they are named under [removed]:
#
#     [removed]
#     organisations = ["avon-police/old"]
#     lists = ["news@avon.{suffix}"]
#     shared = ["desk@avon.{suffix}"]
#     domains = ["old.firm.co.uk"]
#
# Lists of things, such as members, are whole: who is not in one leaves.
"""
_EXPLAINED = {
    "organisation": """\
# Organisations, by path. state is active or suspended; recovery is two-person or none; an empty abbreviation is that of
# the organisation above, and one that was given stays. A path that moved says so: was = "the/old/path".""",
    "connection": """\
# Connections, by short name (was = "old name" renames one). Certificates are not here: cjsm connection certificate.
# A limit that is not under limits is the service's own.""",
    "domain": """\
# Domains of connections. exceptions: the member's address = the address at the organisation.""",
    "list": """\
# Distribution lists, by address. Managers are user IDs, members addresses.""",
    "shared": """\
# Shared mailboxes, by address; quota in octets. Who reads one changes with its keys: cjsm shared join, leave. One that
# is deleted is not here: cjsm shared undelete. What else members may do, and the rest, can be changed here.""",
    "role": """\
# Roles, by user ID: the organisations that each is over; "/" is the whole community.""",
}


class Read(Struct, frozen=True, kw_only=True):
    """A file: its document, and the SHA-256 of its octets, in hexadecimal."""

    document: dict[str, Any]
    digest: str


def read(path: Path, most: int) -> Read:
    """Read a file as whoever called the command.

    :param most: octets that it may have.
    :raises Refused: when it cannot be read, or is no TOML.
    """
    try:
        with as_caller(), path.open("rb") as opened:
            octets = opened.read(most + 1)
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}", "name a file that you may read") from None
    if len(octets) > most:
        raise Refused(f"{path} is longer than {most:,} octets", "raise community.file_octets, or apply it in parts")
    try:
        document = tomllib.loads(octets.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise Refused(f"{path} is not text", "save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise Refused(f"{path}: {error}", "correct that line: nothing was done") from None
    except RecursionError:
        raise Refused(
            f"{path}: too many tables inside one another", "write it as `cjsm community export` does"
        ) from None
    return Read(document=document, digest=hashlib.sha256(octets).hexdigest())


def text(view: View, state: Desired) -> Iterator[str]:
    """Yield the file's parts, each thing's table as one."""
    yield _HEAD.format(suffix=view.suffix, moment=when(view.moment))
    yield "\n" + tomli_w.dumps({"format": FORMAT, "suffix": view.suffix})
    for kind in KINDS:
        tables = getattr(state, kind)
        if tables:
            yield f"\n{_EXPLAINED[kind]}\n"
        for key, table in tables.items():
            yield "\n" + tomli_w.dumps({kind: {key: msgspec.to_builtins(table)}})


def write(path: Path, whole: str) -> None:
    """Write a file whole or not at all, as whoever called the command; others' access is as the file had it, or none.

    :raises Refused: when it cannot be written.
    """
    try:
        with as_caller():
            _write(path, whole.encode())
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}", "name a file that you may write") from None


def _write(path: Path, octets: bytes) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(octets)
            opened.flush()
            os.fsync(opened.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
