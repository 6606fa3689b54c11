"""OpenDKIM: signs what Postfix relays, as this service signs what it relays, but with RSA alone: it has no Ed25519."""

import base64
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.processes import free_ports, running
from cjsm.vault.dkimkeys import make_rsa

INSTALL = "as root: apt-get install opendkim"
_PROGRAM = "opendkim"
_SETTINGS = """\
Mode s
Domain {domain}
Selector bench
KeyFile {key}
Canonicalization relaxed/relaxed
OversignHeaders From
RequireSafeKeys no
Socket inet:{port}@127.0.0.1
"""


def missing() -> str:
    """Return what to do before it can run; empty when nothing."""
    return "" if shutil.which(_PROGRAM, path="/usr/bin:/usr/sbin") else f"{_PROGRAM} missing; {INSTALL}"


@contextmanager
def service(home: Path, domain: str) -> Iterator[tuple[str, int]]:
    """Run it for mail from *domain* until the block ends; yield where Postfix asks it, and the process id."""
    home.mkdir(parents=True, exist_ok=True)
    (port,) = free_ports(1)
    key, settings = home / "bench.pem", home / "opendkim.conf"
    encoded = base64.encodebytes(make_rsa()).decode()
    key.write_text(f"-----BEGIN PRIVATE KEY-----\n{encoded}-----END PRIVATE KEY-----\n")
    key.chmod(0o600)
    settings.write_text(_SETTINGS.format(domain=domain, key=key, port=port))
    command = [f"/usr/sbin/{_PROGRAM}", "-f", "-x", str(settings)]
    with running(command, log=home / "opendkim.log", ports=(port,)) as process:
        yield f"inet:127.0.0.1:{port}", process
