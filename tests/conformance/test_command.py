"""The command that points the suite at any server."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conformance.comparison import Column
from tests.peers.certificates import CertificateMaker
from tests.peers.postfix import PROGRAMS, Postfix, postfix
from tests.peers.processes import needs
from tests.peers.script import Script
from tests.peers.scripted import ScriptedPeer
from tests.running import Community

_ROOT = Path(__file__).parents[2]
_REFUSED = "nobody@org.example"
_PEOPLE = ("--from", "a@cjsm.example", "--to", "b@org.example", "--refused", _REFUSED)


def _python(*arguments: str, typed: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *arguments], cwd=_ROOT, input=typed, capture_output=True, text=True, timeout=300
    )


def _run(*arguments: str, typed: str = "") -> "subprocess.CompletedProcess[str]":
    return _python("-m", "tests.conformance", *arguments, "-p", "no:cacheprovider", typed=typed)


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> CertificateMaker:
    """The authority of the servers here."""
    return CertificateMaker(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def organisation(maker: CertificateMaker) -> Iterator[Postfix]:
    """Another organisation's server."""
    needs(*PROGRAMS)
    identity = maker.server("localhost")
    with postfix(
        host="mx.org.example", domains=["org.example"], identity=identity, authority=maker.file, ask_clients=False
    ) as running:
        yield running


@pytest.mark.interop
def test_another_server(organisation: Postfix, maker: CertificateMaker) -> None:
    """All of it runs against a server that is not ours; what was left out and what differs stands at the end."""
    done = _run(
        *("smtp", f"localhost:{organisation.port}", "--starttls", "--ca", str(maker.file), *_PEOPLE),
        *("--maildir", str(organisation.maildir)),
    )
    assert done.returncode == 0, done.stdout[-5_000:]
    assert "SMTP conformance: left out" in done.stdout
    assert "AUTH is not offered: " in done.stdout
    assert "does other than this project's service promises" in done.stdout


#: Runs the suite once for each list of arguments in one interpreter, since importing takes longer than the tests.
_SEVERAL = """
import json, sys
from tests.conformance.__main__ import main
print(json.dumps([main(arguments) for arguments in json.load(sys.stdin)]))
"""


def test_each_kind_of_tls(maker: CertificateMaker) -> None:
    """TLS with STARTTLS, at once, or not at all, with a client's certificate; replies that are wrong are failures."""
    shown = maker.client("cjsm.example")
    own = ("--ca", str(maker.file), "--certificate", str(shown.certificate), "--key", str(shown.key))
    good = Script(recipients={_REFUSED: b"550 5.1.1 no\r\n"})
    told, expected = [], []
    with ExitStack() as stack:
        for script, options, status in (
            (good, own, 0),
            (Script(recipients=good.recipients, implicit=True), ("--implicit-tls", *own), 0),
            (Script(recipients=good.recipients, starttls=False), ("--plain",), 0),
            (Script(always=b"250 ok\r\n"), ("--plain",), 1),
            (good, ("--plain", "--strict"), 1),
        ):
            peer = stack.enter_context(ScriptedPeer(script, identity=maker.server("localhost"), clients=maker.file))
            chosen = ("-k", "test_order and (before or second)", "-p", "no:cacheprovider")
            told.append(["smtp", f"localhost:{peer.port}", *options, *_PEOPLE, *chosen])
            expected.append(status)
        done = _python("-c", _SEVERAL, typed=json.dumps(told))
    assert done.returncode == 0, done.stderr[-3_000:]
    assert json.loads(done.stdout.splitlines()[-1]) == expected, done.stdout[-10_000:]


def test_pop3(community: Community, tmp_path: Path) -> None:
    """It signs in where it is pointed to, puts messages in by a command, and writes what came of each test."""
    person, results = community.person("jane.smith@avon"), tmp_path / "results.json"
    sending = tmp_path / "deliver"
    sending.write_text(
        f"""#!{sys.executable}
import smtplib, ssl, sys
session = smtplib.SMTP_SSL("localhost", {community.port("submissions")},
    context=ssl.create_default_context(cafile={community.told["ca_file"]!r}))
session.login({person["user_id"]!r}, {person["password"]!r})
told = sys.stdin.read().replace("sender@client.example", {person["address"]!r})
session.sendmail({person["address"]!r}, [{person["address"]!r}], told)
session.quit()
"""
    )
    sending.chmod(0o700)
    where = ("pop3", f"localhost:{community.port('pop3s')}", "--ca", community.told["ca_file"])
    told = ("--user", person["user_id"], "--password-stdin", "--deliver", str(sending), "--results", str(results))
    done = _run(*where, *told, "-k", "test_list or test_greeting or test_injection", typed=f"{person['password']}\n")
    assert done.returncode == 0, done.stdout[-3_000:]
    column = Column("ours", [results])
    assert column.cell(("test_maildrop", "test_list")) == "✓"
    assert column.cell(("test_tls", "test_injection")) == "–"
    assert column.about["test_commands", "test_greeting"].startswith("A server greets with")
    community.empty(person)


def test_cells(tmp_path: Path) -> None:
    """A row is full only where every case of it is, and no promise of ours differs."""

    def file(name: str, outcomes: list[str], findings: dict[str, list[str]]) -> Path:
        told = [
            {"group": "g", "test": "t", "name": f"t[{each}]", "about": "", "outcome": outcome}
            for each, outcome in enumerate(outcomes)
        ]
        path = tmp_path / name
        path.write_text(json.dumps({"tests": told, "findings": findings}))
        return path

    for outcomes, findings, cell in (
        (["passed", "skipped"], {}, "✓"),
        (["passed", "passed"], {"other": ["t[1]"]}, "○"),
        (["passed", "failed", "skipped"], {"other": ["t[1]"]}, "✗ 1 of 2"),
        (["failed"], {}, "✗"),
        (["skipped", "skipped"], {}, "–"),
    ):
        assert Column("x", [file("one", outcomes, findings)]).cell(("g", "t")) == cell
    assert Column("x", [file("one", ["passed"], {}), file("two", ["failed"], {})]).cell(("g", "t")) == "✗ 1 of 2"


@pytest.mark.parametrize(
    "arguments",
    [
        *((), ("smtp",), ("smtp", "localhost"), ("smtp", "localhost:x"), ("smtp", "localhost:25", "--user", "u")),
        *(("pop3", "localhost:995"), ("pop3", "localhost:995", "--user", "u")),
    ],
)
def test_wrong_arguments(arguments: tuple[str, ...]) -> None:
    """A command line that cannot be meant is refused before anything is connected to."""
    assert _run(*arguments).returncode != 0
