"""What ``cjsm directory export`` writes, read by others: slapd and ldapsearch."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cjsm.directory import schema
from tests.peers.slapd import as_slapd_schema, running_slapd
from tests.running import Community

pytestmark = pytest.mark.interop


def _records(text: str) -> dict[str, set[str]]:
    """The lines of each entry, unfolded, by its name."""
    found = {}
    for record in text.replace("\n ", "").split("\n\n"):
        lines = [line for line in record.splitlines() if not line.startswith(("#", "version:"))]
        if lines:
            # Names of attributes are the same in any case.
            found[lines[0].lower()] = {line.partition(":")[0].lower() + line[line.index(":") :] for line in lines[1:]}
    return found


def _everything(ldapsearch: str, port: int, base: str) -> dict[str, set[str]]:
    done = subprocess.run(
        [ldapsearch, "-LLL", "-x", "-o", "ldif-wrap=no", "-H", f"ldap://127.0.0.1:{port}", "-b", base],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    return _records(done.stdout)


def test_slapd_takes_an_export_and_changes(community: Community, program: Callable[[str], str], tmp_path: Path) -> None:
    """The same entries with the same values; changes bring an earlier copy to what is there now."""
    program("slapd")
    base = community.told["base_dn"]
    described = as_slapd_schema(schema.read_text())

    def export(name: str, *more: str) -> str:
        done = community.command("directory", "export", str(tmp_path / name), *more)
        assert done.returncode == 0, done.stdout + done.stderr
        return (tmp_path / name).read_text()

    def imported(*rows: str) -> None:
        (tmp_path / "in.csv").write_text("\n".join(("Firstname,Lastname,Organisation,Secure Email,Description", *rows)))
        results = tmp_path / f"results-{len(rows[0])}.csv"
        done = community.command("directory", "import", str(tmp_path / "in.csv"), "--results", str(results))
        assert done.returncode == 0, done.stdout + done.stderr

    jane = "Jane,Smith,,jane.smith@avon.cjsm.test"
    imported(f"{jane},Größe: x < y ")
    before = export("before.ldif")
    ldapsearch = program("ldapsearch")
    with running_slapd(described, {base: before}) as port:
        assert _everything(ldapsearch, port, base) == _records(before)
    new = "New,Person,northshire-probation,new.person@northshire-probation.org.uk.cjsm.test,"
    imported(f"{jane},Detective sergeant", new)
    changes = export("changes.ldif", "--since", "1h")
    assert "changetype: add" in changes
    with running_slapd(described, {base: _of_before(before, changes)}, changes) as port:
        assert _everything(ldapsearch, port, base) == _records(export("after.ldif"))


def _of_before(before: str, changes: str) -> str:
    """What an earlier copy has of entries that the changes do not add: all were made within the hour here."""
    added = {_name(record) for record in changes.split("\n\n") if "\nchangetype: add\n" in f"{record}\n"}
    return "\n\n".join(record for record in before.split("\n\n") if _name(record) not in added)


def _name(record: str) -> str:
    return next((line for line in record.replace("\n ", "").splitlines() if line.startswith("dn:")), "")
