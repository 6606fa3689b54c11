"""What tests of sources share."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from cjsm.configuration import ImportSettings
from cjsm.mail.folders.files import Caller
from cjsm.mail.folders.opening import open_source
from cjsm.mail.folders.source import Source

LIMITS = ImportSettings()


def opened(path: Path, form: str = "auto", limits: ImportSettings = LIMITS, uidl_format: str = "") -> Source:
    """Open a source."""
    return open_source(path, form, limits, nullcontext, uidl_format)


def contents(path: Path, form: str = "auto", **more: str) -> list[tuple[str, bytes]]:
    """What a source holds: (unique-id, octets as they lie there)."""
    source = opened(path, form, **more)
    try:
        return [(each.unique_id, b"".join(source.read(each))) for each in source.found]
    finally:
        source.close()


def descriptors() -> int:
    """How many files this process has open."""
    return len(os.listdir("/proc/self/fd"))


def maildir(path: Path, files: dict[str, bytes]) -> Path:
    """Make a Maildir: name in it, content."""
    for part in ("cur", "new", "tmp"):
        (path / part).mkdir(parents=True)
    for name, content in files.items():
        (path / name).write_bytes(content)
    return path


@contextmanager
def as_another() -> Iterator[Caller]:
    """Be somebody who may not touch the caller's files, but within the context that this yields. Only root can."""
    caller = os.geteuid()

    @contextmanager
    def within() -> Iterator[None]:
        os.seteuid(caller)
        try:
            yield
        finally:
            os.seteuid(another)

    another = 65534 if caller == 0 else caller
    os.seteuid(another)
    try:
        yield within
    finally:
        os.seteuid(caller)
