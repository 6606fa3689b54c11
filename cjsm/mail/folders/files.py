"""Files of others, opened as whoever asked: no link is followed, nothing but regular files and directories is read.

A mail directory belongs to somebody else than who imports it; a link in it could lead to a file that only the importer
may read, whose content would then be that somebody's mail.
"""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path

from cjsm.mail.folders.errors import FolderError

#: Acts as whoever called, for as long as the context lasts.
Caller = Callable[[], AbstractContextManager[None]]

#: Octets read at once.
BLOCK = 256 * 1024
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC


def open_source(path: Path) -> int:
    """Return a descriptor of the file or directory that was named; a link that was named is followed.

    :raises FolderError: when it is neither, or cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise FolderError(f"{path} cannot be read: {error.strerror}", "name a file or directory of yours") from error
    if not stat.S_ISREG(mode := os.fstat(descriptor).st_mode) and not stat.S_ISDIR(mode):
        os.close(descriptor)
        raise FolderError(f"{path} is neither a file nor a directory", "name an mbox, a Maildir or EML files")
    return descriptor


def open_file(directory: int, name: str) -> int | None:
    """Return a descriptor of the regular file *name* in *directory*; None where there is none of that kind.

    :raises FolderError: when it cannot be read.
    """
    return _opened(directory, name, _FILE, stat.S_ISREG)


def open_directory(directory: int, name: str) -> int | None:
    """Return a descriptor of the directory *name* in *directory*; None where there is none.

    :raises FolderError: when it cannot be read.
    """
    return _opened(directory, name, _DIRECTORY, stat.S_ISDIR)


def _opened(directory: int, name: str, flags: int, wanted: Callable[[int], bool]) -> int | None:
    try:
        descriptor = os.open(name, flags, dir_fd=directory)
    except PermissionError as error:
        raise FolderError(
            f"{told(name)} cannot be read: {error.strerror}", "run this as its owner, or as root"
        ) from error
    except OSError:
        # Gone, a link, something else: it is not what is looked for.
        return None
    if wanted(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    return None


def told(name: str) -> str:
    """Return a file name as it may stand in a text: whoever chose it cannot reach a terminal by it."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in name)


def names(directory: int) -> list[str]:
    """Return the names in *directory* that are not hidden, in order."""
    with os.scandir(directory) as found:
        return sorted(entry.name for entry in found if not entry.name.startswith("."))


def blocks(descriptor: int, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """Yield what a file holds from *start* to *end*, or to where it ends, a block at a time."""
    at = start
    while (want := BLOCK if end is None else min(BLOCK, end - at)) > 0:
        block = os.pread(descriptor, want, at)
        if not block:
            return
        at += len(block)
        yield block


def lines(descriptor: int, longest: int) -> Iterator[bytes]:
    """Yield the lines of a file without their ends; of a line longer than *longest* octets only its beginning."""
    with closing(os.fdopen(os.dup(descriptor), "rb")) as file:
        begins = True
        while piece := file.readline(longest):
            if begins:
                yield piece.rstrip(b"\r\n")
            begins = piece.endswith(b"\n")


def whole(descriptor: int | None, name: str) -> Iterator[bytes]:
    """Yield what a file holds, and close it.

    :raises FolderError: when there is none (any more).
    """
    if descriptor is None:
        raise FolderError(f"{name} is not there any more", "let nothing change the source, and run it again")
    try:
        yield from blocks(descriptor)
    finally:
        os.close(descriptor)


def size(directory: int, name: str) -> int | None:
    """Return the octets of the regular file *name* in *directory*; None for anything else."""
    try:
        told = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except OSError:
        return None
    return told.st_size if stat.S_ISREG(told.st_mode) else None
