"""Where relayed mail goes to: Postfix's test server behind stunnel, at one address for each destination.

It takes everything and keeps nothing; both sides send to the same one, over TLS whose certificate they check.
"""

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import running
from cjsm.vault.certificates import Authority

#: What the certificate is for, whatever the destination.
NAME = "sink.test"
#: Destinations that there are.
DESTINATIONS = 100
PORT = 23025
PROGRAMS = ("smtp-sink", "stunnel")
INSTALL = "as root: apt-get install postfix stunnel4"
_PLAIN = 23026
_COUNTED = re.compile(r"mesg=(\d+)")
_PATIENCE = 120.0


def missing() -> str:
    """Return what to do before it can run; empty when nothing."""
    lacking = [program for program in PROGRAMS if shutil.which(program, path="/usr/bin:/usr/sbin") is None]
    return f"{', '.join(lacking)} missing; {INSTALL}" if lacking else ""


def host(destination: int) -> str:
    """Return the address of a destination."""
    return f"127.1.0.{destination + 1}"


def domain(destination: int) -> str:
    """Return the domain whose mail goes to a destination."""
    return f"d{destination}.sink.test"


@dataclass(frozen=True)
class Sink:
    """The server that runs."""

    log: Path

    def taken(self) -> int:
        """Return how many messages it has taken."""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - 4096))
            found = _COUNTED.findall(log.read().decode("ascii", "replace"))
        return int(found[-1]) if found else 0

    def wait_for(self, messages: int) -> None:
        """Wait until it has taken so many."""
        ends = time.monotonic() + _PATIENCE
        while (taken := self.taken()) < messages:
            if time.monotonic() > ends:
                raise RuntimeError(f"{taken} messages arrived, not {messages}")
            time.sleep(0.01)


@contextmanager
def service(home: Path, authority: Path) -> Iterator[Sink]:
    """Run it with a certificate of *authority* until the block ends."""
    home.mkdir(parents=True, exist_ok=True)
    certificate, key = home / "sink.pem", home / "sink.key"
    issuing = Authority.load(authority, authority.with_suffix(".key"))
    issuing.issue((NAME,), int(time.time()), 30, certificate, key)
    lines = ["foreground = yes", "pid =", "debug = err"]
    for destination in range(DESTINATIONS):
        lines += [
            f"[d{destination}]",
            f"accept = {host(destination)}:{PORT}",
            f"connect = 127.0.0.1:{_PLAIN}",
            f"cert = {certificate}",
            f"key = {key}",
            "protocol = smtp",
            "sslVersionMin = TLSv1.2",
        ]
    (home / "stunnel.conf").write_text("".join(f"{line}\n" for line in lines))
    log = home / "sink.log"
    log.write_bytes(b"")
    behind = ["/usr/sbin/smtp-sink", "-4", "-c", "-u", "postfix", "-m", "1000", f"127.0.0.1:{_PLAIN}", "500"]
    front = ["/usr/bin/stunnel", str(home / "stunnel.conf")]
    with (
        running(behind, log=log, ports=(_PLAIN,)),
        running(front, log=home / "stunnel.log", ports=(PORT,), host=host(0)),
    ):
        yield Sink(log)
