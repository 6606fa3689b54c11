"""``cjsm community``."""

import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import IO, Any

import pytest

from cjsm.command.context import wait
from cjsm.community.records import LedgerEntry
from cjsm.ledger.entries import decode_entry
from tests.command.conftest import Run, refused, told
from tests.command.mailboxes import beside
from tests.command.test_user import add

NEWS = "news@avon.cjsm.test"


@pytest.fixture
def file(cjsm: Run, tmp_path: Path) -> Path:
    """The community with a list, a shared mailbox, a connection and a role, as a file."""
    add(cjsm)
    add(cjsm, first="Tom", last="Jones")
    told(cjsm("role", "grant", "jane.smith@avon", "organisation-administrator", "--organisation", "avon", "--json"))
    told(cjsm("list", "add", "avon", "news", "--name", 'News, "weekly"', "--json"))
    told(cjsm("list", "join", NEWS, "jane.smith@avon.cjsm.test", "--json"))
    told(cjsm("shared", "add", "avon", "duty", "--name", "Duty", "--member", "jane.smith@avon", "--json"))
    told(cjsm("organisation", "add", "firm", "--name", "חברה & Co", "--abbreviation", "firm", "--json"))
    hop = ("--next-hop", "mx.firm.co.uk:25", "--certificate-name", "mx.firm.co.uk", "--limit", "concurrency=3")
    told(cjsm("connection", "add", "firm", "firm", "--kind", "server", "--name", "F", *hop, "--json"))
    told(cjsm("connection", "domain", "add", "firm", "firm.co.uk", "--json"))
    place = tmp_path / "community.toml"
    assert cjsm("community", "export", str(place)).exit_code == 0
    return place


def changed(file: Path, *pairs: tuple[str, str]) -> None:
    """Change the file as an editor does."""
    text = file.read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)


def entries(config: Path) -> list[LedgerEntry]:
    """The ledger."""
    with beside(config) as suite:
        return [decode_entry(encoded) for _, encoded in wait(suite.stores.community.entries(0, 10_000))]


def test_exported(cjsm: Run, file: Path) -> None:
    """Comments, one table for each thing, nothing but names; the same each time, on the output and as JSON too."""
    text = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    for line in (
        '[organisation."avon/crime"]', 'name = "חברה & Co"', f'[list."{NEWS}"]', "[connection.firm.limits]",
        '[domain."firm.co.uk.cjsm.test"]', '[shared."duty@avon.cjsm.test"]', '[role."jane.smith@avon"]',
        "# Organisations, by path.",
    ):  # fmt: skip
        assert f"\n{line}" in text
    assert not set(tomllib.loads(text)) - {
        *("format", "suffix", "organisation", "connection", "domain", "list", "shared", "role"),
    }
    again = cjsm("community", "export").stdout
    assert again.partition("\n")[2] == text.partition("\n")[2]
    assert told(cjsm("community", "export", "--json"))["organisation"]["avon"]["name"] == "Avon Police"
    counted = told(cjsm("community", "export", str(file), "--json"))
    assert (counted["organisations"], counted["shared mailboxes"]) == (3, 1)
    assert told(cjsm("community", "diff", str(file), "--json")) == []
    assert "nothing to do" in cjsm("community", "apply", str(file)).stdout


def test_applied(cjsm: Run, file: Path, config: Path) -> None:
    """The differences are shown, done at once, and are no more; the ledger has each act, and the file's digest."""
    changed(
        file,
        ('name = "Avon Police"', 'name = "Avon & Somerset"'),
        ('members = [\n    "jane.smith@avon.cjsm.test",\n]', 'members = ["tom.jones@avon.cjsm.test"]'),
        ('jane.smith@avon" = [\n    "read",\n    "delete",\n    "send",\n]', 'jane.smith@avon" = ["read"]'),
        ("concurrency = 3", "concurrency = 4"),
        ('state = "testing"', 'state = "live"'),
    )
    with file.open("a") as more:
        more.write(
            '[organisation."avon/new"]\nname = "New"\n[role."tom.jones@avon"]\norganisation-administrator=["avon/new"]'
        )
        more.write('\n[shared."front@avon.cjsm.test"]\norganisation="avon"\nname="Front"\n[removed]\ndomains=["no.uk"]')
    before = len(entries(config))
    shown = cjsm("community", "diff", str(file)).stdout
    for line in (
        "+ organisation avon/new", '    name: "Avon Police" → "Avon & Somerset"', "    state: testing → live",
        "    members: 1 more (tom.jones@avon.cjsm.test), 1 fewer (jane.smith@avon.cjsm.test)",
        "    rights of jane.smith@avon: 2 fewer (delete, send)", "~ roles of tom.jones@avon",
        '    not applied here: cjsm shared add avon front --name Front --member USER',
        "1 to add, 5 to change, 0 to remove, 1 that a file cannot do: see above",
    ):  # fmt: skip
        assert f"{line}\n" in shown
    assert "nobody can be asked" in refused(cjsm("community", "apply", str(file), "--json"))["error"]
    tried = told(cjsm("community", "apply", str(file), "--dry-run", "--json"))
    assert (tried["acts"], tried["kept"], len(entries(config))) == (8, False, before)
    assert "8 acts could be done" in cjsm("community", "apply", str(file), "--dry-run").stdout
    assert "8 acts done" in cjsm("community", "apply", str(file), "--yes", "--reason", "requested").stdout
    made = entries(config)[before:]
    assert (made[0].act, dict(made[0].details)["acts"], len(made)) == ("community-apply", "8", 9)
    assert told(cjsm("list", "show", NEWS, "--json"))["members"] == ["tom.jones@avon.cjsm.test"]
    assert told(cjsm("connection", "show", "firm", "--json"))["state"] == "live"
    again = told(cjsm("community", "apply", str(file), "--json"))
    assert (again["acts"], [each["what"] for each in again["differences"]]) == (0, ["elsewhere"])


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("x" * 200_000, "longer than"),
        ("[organisation.avon]\n[organisation.avon]", "line 2"),
        ("a = " + "[" * 5_000, "community.toml"),
        ("name = \x00", "line 1"),
        ("", "format"),
    ],
)
def test_no_file(cjsm: Run, config: Path, tmp_path: Path, text: str, error: str) -> None:
    """What is no such file is refused with what is wrong with it."""
    config.write_text(config.read_text().replace("file_octets = 67108864", "file_octets = 100000"))
    place = tmp_path / "community.toml"
    place.write_text(text)
    for verb in ("diff", "apply"):
        answer = refused(cjsm("community", verb, str(place), "--json"))
        assert error in answer["error"]
        assert answer["cure"]
    place.write_bytes(b"\xff\xfe")
    assert "not text" in refused(cjsm("community", "diff", str(place), "--json"))["error"]
    assert "No such file" in refused(cjsm("community", "diff", str(tmp_path / "no"), "--json"))["error"]
    assert refused(cjsm("community", "export", "/nowhere/at/all", "--json"))["cure"]


def state(config: Path) -> Any:
    """What there is."""
    with beside(config) as suite:
        return suite.stores.community.read_now(lambda view: (view.number, len(list(view.organisations()))))


#: For each line, where to die and after how many acts, a process that applies the file and dies there.
_DYING = """
import os, signal, sys
import cjsm.command.community
from cjsm.store.lmdb import community, environment
from cjsm.command.main import main

def die(where, after):
    applied, commit, many = community.LmdbCommunityStore._apply, environment.commit, [0]

    def dies(*given):
        many[0] += 1
        if many[0] > after:
            os.kill(os.getpid(), signal.SIGKILL)
        applied(*given)

    def committed(transaction):
        if where == "after":
            commit(transaction)
        os.kill(os.getpid(), signal.SIGKILL)

    if where == "write":
        community.LmdbCommunityStore._apply = dies
    else:
        environment.commit = committed
    main(sys.argv[1:])

for line in sys.stdin:
    where, after = line.split()
    if (child := os.fork()) == 0:
        try:
            die(where, int(after))
        finally:
            os._exit(1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def test_killed(cjsm: Run, file: Path, config: Path) -> None:
    """At any moment of applying: nothing of it is there, or all; and then applying it goes on from there."""
    before = state(config)
    with file.open("a") as more:
        for number in range(5):
            more.write(f'\n[organisation."avon/new-{number}"]\nname = "New"')
    asked = ("community", "apply", str(file), "--yes", "--config", str(config))
    command, pipe = [sys.executable, "-c", _DYING, *asked], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for where, after in (("write", 0), ("write", 3), ("before", 0), ("after", 0)):
            print(where, after, file=process.stdin, flush=True)
            assert _status(process.stdout) == -signal.SIGKILL
            done = state(config)
            assert done == ((before[0] + 6, before[1] + 5) if where == "after" else before)
        process.stdin.close()
    assert "nothing to do" in cjsm("community", "apply", str(file), "--yes").stdout


def _status(lines: IO[str]) -> int:
    """How the process ended: the line behind what it said."""
    return next(int(line) for line in lines if line.strip().lstrip("-").isdigit())


def test_asked_at_a_terminal(cjsm: Run, file: Path, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the differences; whoever says no has nothing done."""
    monkeypatch.setattr("cjsm.command.community._at_terminal", lambda: True)
    before = state(config)
    changed(file, ('name = "Avon Police"', 'name = "Avon & Somerset"'))
    said = cjsm("community", "apply", str(file), typed="n\n")
    assert said.output.index("Avon & Somerset") < said.output.index("Do this?") < said.output.index("nothing was done")
    assert (said.exit_code, state(config)) == (1, before)
    assert "1 act done" in cjsm("community", "apply", str(file), typed="y\n").stdout
