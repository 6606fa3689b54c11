"""OpenLDAP's slapd with the same entries, tuned: an index for everything that is asked."""

import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.asking import Server
from benchmarks.processes import free_ports, running
from tests.peers.slapd import as_slapd_schema

INSTALL = "as root: apt-get install slapd"
_SLAPD = "/usr/sbin/slapd"
_HERE = Path(__file__).parent
_PASSWORD = "correct horse battery staple"


def missing() -> str:
    """Return what to do before this peer can run; empty when nothing."""
    return "" if shutil.which(_SLAPD) else f"slapd missing; {INSTALL}"


def prepare(home: Path, schema: str, base: str, tls: Path, entries: Iterable[str]) -> None:
    """Load *entries*, as LDIF, unless they are there."""
    (home / "data").mkdir(parents=True, exist_ok=True)
    values = {"home": str(home), "base": base, "schema": as_slapd_schema(schema), "tls": str(tls)}
    text = (_HERE / "slapd.conf").read_text()
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    (home / "slapd.conf").write_text(text)
    if (home / "loaded").exists():
        return
    ldif = home / "entries.ldif"
    with ldif.open("w") as written:
        written.writelines(entries)
        written.write(f"dn: cn=asking,{base}\nobjectClass: person\nobjectClass: asking\ncn: asking\nsn: asking\n")
        written.write(f"userPassword: {_PASSWORD}\n")
    command = [_SLAPD, "-T", "add", "-q", "-f", str(home / "slapd.conf"), "-l", str(ldif)]
    loaded = subprocess.run(command, capture_output=True, text=True)
    if loaded.returncode:
        raise RuntimeError(f"slapd does not take the entries: {loaded.stderr[-2000:]}")
    ldif.unlink()
    (home / "loaded").touch()


@contextmanager
def service(home: Path, base: str, authority: str) -> Iterator[tuple[Server, int]]:
    """Run the peer in *home*; yield where to ask and the process id."""
    (port,) = free_ports(1)
    command = [_SLAPD, "-d", "0", "-f", str(home / "slapd.conf"), "-h", f"ldaps://127.0.0.1:{port}"]
    # It makes room for as many connections as it may have descriptors.
    limited = ["/bin/sh", "-c", 'ulimit -n 1024 && exec "$@"', "sh", *command]
    with running(limited, log=home / "slapd.log", ports=(port,)) as process:
        yield Server("slapd", port, authority, base, f"cn=asking,{base}", _PASSWORD), process
