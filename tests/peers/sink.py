"""A server that takes everything and keeps it: stunnel in front for TLS, Postfix's smtp-sink behind."""

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.peers.certificates import Identity
from tests.peers.processes import free_port, open_directory, running, wait_until

#: What must be installed.
PROGRAMS = ("smtp-sink", "stunnel")
_USER = "nobody"


@dataclass(frozen=True)
class Sink:
    """A sink that runs.

    :ivar port: where stunnel listens and asks for STARTTLS.
    :ivar plain_port: where the sink itself listens, in the clear.
    """

    home: Path
    port: int
    plain_port: int

    def messages(self, at_least: int = 0, seconds: float = 30.0) -> list[bytes]:
        """Return what was taken as soon as there are so many messages: envelope as ``X-`` fields, lines end in LF."""
        wait_until(lambda: len(self._taken()) >= at_least, self.log, seconds)
        return [path.read_bytes() for path in self._taken()]

    def log(self) -> str:
        """Return what stunnel and the sink have logged."""
        return "".join(path.read_text(errors="replace") for path in sorted(self.home.glob("*.log")))

    def _taken(self) -> list[Path]:
        return sorted(path for path in (self.home / "mail").iterdir() if path.stat().st_size)


@contextmanager
def sink(*, identity: Identity, clients: Path | None = None, implicit: bool = False) -> Iterator[Sink]:
    """Run a sink until the block ends.

    :param identity: the certificate it shows.
    :param clients: the authority of the certificates that clients must show; None asks for none.
    :param implicit: TLS begins before anything is said, not with STARTTLS.
    """
    with open_directory() as home:
        made = Sink(home, free_port(), free_port())
        (home / "mail").mkdir()
        owner = pwd.getpwnam(_USER)
        os.chown(home / "mail", owner.pw_uid, owner.pw_gid)
        (home / "stunnel.conf").write_text(_configuration(made, identity, clients, implicit))
        behind = [
            "/usr/sbin/smtp-sink",
            *("-4", "-c", "-u", _USER, "-d", f"{home}/mail/%s."),
            f"127.0.0.1:{made.plain_port}",
            "100",
        ]
        front = ["/usr/bin/stunnel", str(home / "stunnel.conf")]
        with (
            running(behind, log=home / "sink.log", ports=(made.plain_port,)),
            running(front, log=home / "stunnel.log", ports=(made.port,)),
        ):
            yield made


def _configuration(made: Sink, identity: Identity, clients: Path | None, implicit: bool) -> str:
    lines = [
        "foreground = yes",
        "pid =",
        "debug = notice",
        "[smtp]",
        f"accept = 127.0.0.1:{made.port}",
        f"connect = 127.0.0.1:{made.plain_port}",
        f"cert = {identity.certificate}",
        f"key = {identity.key}",
        "sslVersionMin = TLSv1.2",
    ]
    if not implicit:
        lines.append("protocol = smtp")
    if clients is not None:
        lines += [f"CAfile = {clients}", "verifyChain = yes"]
    return "".join(f"{line}\n" for line in lines)
