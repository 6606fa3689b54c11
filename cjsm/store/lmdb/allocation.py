"""How this process gets memory for open mailboxes.

LMDB sets three MiB aside for each open environment, for lists of pages that a large transaction would fill. Fresh from
the system they take nothing until they are written to. But glibc, once such a block was freed, keeps its like and hands
it out again, cleared: then every open mailbox takes three MiB for good, and opening it costs as long as clearing them.
"""

import ctypes

#: glibc's malloc.h: blocks of this many octets or more come from the system and go back to it.
_M_MMAP_THRESHOLD = -3
#: Below LMDB's lists of one and of two MiB, above what the service itself needs often.
_LARGE = 512 * 1024


def take_large_blocks_from_the_system() -> None:
    """Let large blocks come from the system and go back to it, always; other C libraries than glibc do as they do."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(_M_MMAP_THRESHOLD, _LARGE)
