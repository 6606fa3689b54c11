"""Directories and files that are their owner's alone."""

import os
from pathlib import Path


def make_private(directory: Path) -> None:
    """Make *directory*, and those above it that are missing, for their owner alone.

    The mode that ``Path.mkdir`` takes is for the last one only: those above would be open to others.

    :raises OSError: when one cannot be made.
    """
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
    except FileNotFoundError:
        make_private(directory.parent)
        directory.mkdir(mode=0o700, exist_ok=True)


def opener(path: str, flags: int) -> int:
    """Open a file for ``open``, which makes a new one for its owner alone."""
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
