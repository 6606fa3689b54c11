"""The agent that ``cjsm login`` leaves behind: who signed in, and the authority key that their password opened.

It is a process of its own, on a Unix socket of mode 0600 in a directory of mode 0700, answers the same system user
only, and ends after its time. What it keeps comes over its standard input, never as an argument or in the environment.
"""

import contextlib
import hashlib
import os
import resource
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import msgspec
from msgspec import Struct

_MOST = 64 * 1024
_PATIENCE = 5.0
_END = b"end"
_TELL = b"tell"


class Kept(Struct, frozen=True, kw_only=True):
    """What the agent keeps: the account, its password's version, the authority seeds by epoch, and until when."""

    account: bytes
    password_version: int
    seeds: dict[int, bytes]
    until: float

    def __repr__(self) -> str:
        return f"<Kept {self.account.hex()}>"


def place(config: Path) -> Path:
    """Return where the agent of the calling system user for a community listens; its directory is made.

    :raises PermissionError: when the directory belongs to somebody else, or others can look into it.
    """
    user = os.getuid()
    given = os.environ.get("XDG_RUNTIME_DIR")
    run = Path(given) if given else Path(f"/run/user/{user}")
    base = run if run.is_dir() and os.access(run, os.W_OK) else Path("/tmp")
    directory = base / f"cjsm-{user}"
    with contextlib.suppress(FileExistsError):
        directory.mkdir(mode=0o700)
    found = directory.lstat()
    if found.st_uid != user or found.st_mode & 0o177077 != 0o040000:
        raise PermissionError(1, "belongs to somebody else, or others can look into it", str(directory))
    name = hashlib.sha256(os.fsencode(config.resolve())).hexdigest()[:16]
    return directory / f"agent-{name}.sock"


def begin(path: Path) -> "subprocess.Popen[bytes]":
    """Start an agent that waits for what it keeps on its standard input: see :func:`hand_over`."""
    return subprocess.Popen(
        [sys.executable, "-m", "cjsm.command.agent", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )


def hand_over(process: "subprocess.Popen[bytes]", kept: Kept | None) -> bool:
    """Give the agent what it keeps, or with None nothing: then it ends. Return whether it listens now."""
    process.communicate(msgspec.msgpack.encode(kept) if kept is not None else b"", timeout=60)
    return kept is not None and process.returncode == 0


def ask(path: Path) -> Kept | None:
    """Return what the agent keeps; None where there is none."""
    answer = _call(path, _TELL)
    with contextlib.suppress(msgspec.MsgspecError):
        kept = msgspec.msgpack.decode(answer, type=Kept)
        return kept if kept.until > time.time() else None
    return None


def end(path: Path) -> bool:
    """End the agent; return whether there was one."""
    return _call(path, _END) == _END


def _call(path: Path, request: bytes) -> bytes:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_PATIENCE)
            connection.connect(str(path))
            if _peer(connection) != os.getuid():
                return b""
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            return _all(connection)
    except OSError:
        return b""


def _all(connection: socket.socket) -> bytes:
    received = b""
    while len(received) < _MOST and (piece := connection.recv(4096)):
        received += piece
    return received


def _peer(connection: socket.socket) -> int:
    """Return the system user at the other end."""
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", told)[1])


def main(path: Path) -> int:
    """Read what is kept from standard input, listen, and leave a process behind that answers until the time is over."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        kept = msgspec.msgpack.decode(sys.stdin.buffer.read(_MOST), type=Kept)
    except msgspec.MsgspecError:
        return 1
    # Nobody finds the one before when its socket has gone, and it would keep its keys until its time is over.
    end(path)
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    with socket.socket(socket.AF_UNIX) as listening:
        previous = os.umask(0o177)
        try:
            listening.bind(str(path))
        finally:
            os.umask(previous)
        listening.listen(8)
        if os.fork():
            # Whoever started this knows now that it listens.
            os._exit(0)
        inode = path.stat().st_ino
        try:
            _serve(listening, kept)
        finally:
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_ino == inode:
                    path.unlink()
    return 0


def _serve(listening: socket.socket, kept: Kept) -> None:
    answer = msgspec.msgpack.encode(kept)
    while (left := kept.until - time.time()) > 0:
        listening.settimeout(left)
        try:
            connection, _ = listening.accept()
        except TimeoutError:
            return
        with connection:
            connection.settimeout(_PATIENCE)
            try:
                if _peer(connection) != os.getuid():
                    continue
                request = _all(connection)
                connection.sendall({_TELL: answer, _END: _END}.get(request, b""))
            except OSError:
                continue
            if request == _END:
                return


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
