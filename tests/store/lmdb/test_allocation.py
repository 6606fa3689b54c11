"""Memory of what LMDB sets aside for an open mailbox."""

import subprocess
import sys

_LOOK = """
import ctypes, sys
from cjsm.store.lmdb import allocation
if sys.argv[1] == "ours":
    allocation.take_large_blocks_from_the_system()
libc = ctypes.CDLL(None)
for function in (libc.malloc, libc.calloc):
    function.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
lists = lambda allocate: [allocate(ctypes.c_size_t(131_072), ctypes.c_size_t(16)) for _ in range(16)]
resident = lambda: int(open("/proc/self/statm").read().split()[1])
# As environments that are opened and closed, and then others that stay open.
libc.free(libc.malloc(ctypes.c_size_t(8 << 20)))
closed = lists(lambda count, size: libc.malloc(ctypes.c_size_t(count.value * size.value)))
above = libc.malloc(ctypes.c_size_t(1 << 16))
for each in closed:
    libc.free(each)
before = resident()
kept = lists(libc.calloc)
print((resident() - before) * 4096)
"""


def grown(whose: str) -> int:
    done = subprocess.run([sys.executable, "-c", _LOOK, whose], capture_output=True, text=True, check=True, timeout=60)
    return int(done.stdout)


def test_what_is_set_aside_takes_no_memory() -> None:
    """Sixteen lists of two MiB that nobody wrote to take next to nothing; glibc left to itself clears each."""
    assert grown("ours") < 1 << 20
    assert grown("glibc") > 16 << 20
