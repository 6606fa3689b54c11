"""A real slapd that holds what it is given: to be asked the same as this project's directory."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.peers.processes import free_port, open_directory, running

#: What must be installed.
PROGRAMS = ("slapd",)
_SLAPD = "/usr/sbin/slapd"
_DESCRIPTORS = 256


@contextmanager
def running_slapd(schema: str, trees: Mapping[str, str], changes: str = "") -> Iterator[int]:
    """Run a slapd until the block ends; yield the port on loopback where it listens without TLS. Everybody may read.

    :param schema: ``attributetype`` and ``objectclass`` lines.
    :param trees: LDIF by suffix.
    :param changes: LDIF of changes to the first tree.
    """
    with open_directory() as home:
        config = _configure(home, schema, list(trees))
        for number, ldif in enumerate(trees.values()):
            _do(home, config, "add", number, ldif)
        if changes:
            _do(home, config, "modify", 0, changes)
        port = free_port()
        command = [_SLAPD, "-d", "0", "-f", str(config), "-h", f"ldap://127.0.0.1:{port}"]
        # It makes room for as many connections as it may have descriptors.
        limited = ["/bin/sh", "-c", f'ulimit -n {_DESCRIPTORS} && exec "$@"', "sh", *command]
        with running(limited, log=home / "slapd.log", ports=[port]):
            yield port


def _do(home: Path, config: Path, tool: str, number: int, ldif: str) -> None:
    """Run a tool on one tree, while nothing serves it."""
    (home / "load.ldif").write_text(ldif)
    command = [_SLAPD, "-T", tool, *(("-q",) if tool == "add" else ()), "-f", str(config), "-n", str(number + 1)]
    done = subprocess.run([*command, "-l", str(home / "load.ldif")], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def _configure(home: Path, schema: str, suffixes: list[str]) -> Path:
    lines = [
        "modulepath /usr/lib/ldap",
        "moduleload back_mdb.so",
        "moduleload sssvlv.so",
        schema,
        f"pidfile {home}/slapd.pid",
        "sizelimit unlimited",
        "timelimit unlimited",
    ]
    for number, suffix in enumerate(suffixes):
        directory = home / f"tree{number}"
        directory.mkdir()
        lines += [
            "database mdb",
            f'suffix "{suffix}"',
            f"directory {directory}",
            "maxsize 67108864",
            "access to * by * read",
            "overlay sssvlv",
            "sssvlv-max 100000",
            "sssvlv-maxperconn 100000",
        ]
    config = home / "slapd.conf"
    config.write_text("\n".join(lines) + "\n")
    return config


#: What slapd brings along and does not let anybody describe anew.
_BUILT_IN = frozenset(
    (
        *("objectClass", "name", "cn", "uid", "description", "entryUUID", "entryDN", "createTimestamp"),
        *("modifyTimestamp", "structuralObjectClass", "subschemaSubentry", "hasSubordinates", "numSubordinates"),
        *("attributeTypes", "objectClasses", "matchingRules", "ldapSyntaxes", "namingContexts", "supportedExtension"),
        *("supportedControl", "supportedFeatures", "supportedSASLMechanisms", "supportedLDAPVersion", "vendorName"),
        *("vendorVersion", "top", "subschema"),
    )
)
_NAME = re.compile(r"NAME (?:\( )?'([^']+)'")


def as_slapd_schema(text: str) -> str:
    """Return a schema in the form of ``data/schema/cjsm.schema`` as what slapd does not have of it."""
    joined = re.sub(r"\n[ \t]+", " ", text)
    kept = []
    for line in joined.splitlines():
        kind = line.partition(" ")[0]
        named = _NAME.search(line)
        if kind in ("attributetype", "objectclass") and named and named[1] not in _BUILT_IN:
            # A telephone number's rule is not for facsimile numbers there.
            kept.append(line.replace("1.3.6.1.4.1.1466.115.121.1.22", "1.3.6.1.4.1.1466.115.121.1.50"))
    return "\n".join(kept)
