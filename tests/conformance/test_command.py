"""The command that points the suite at any server."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.certificates import CertificateMaker
from tests.peers.postfix import PROGRAMS, Postfix, postfix
from tests.peers.processes import needs
from tests.peers.script import Script
from tests.peers.scripted import ScriptedPeer

_ROOT = Path(__file__).parents[2]
_REFUSED = "nobody@org.example"
_PEOPLE = ("--from", "a@cjsm.example", "--to", "b@org.example", "--refused", _REFUSED)


def _run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tests.conformance", *arguments, "-p", "no:cacheprovider"],
        cwd=_ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )


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


def test_each_kind_of_tls(maker: CertificateMaker) -> None:
    """TLS with STARTTLS, at once, or not at all, with a client's certificate; replies that are wrong are failures."""
    shown = maker.client("cjsm.example")
    own = ("--ca", str(maker.file), "--certificate", str(shown.certificate), "--key", str(shown.key))
    good = Script(recipients={_REFUSED: b"550 5.1.1 no\r\n"})
    for script, options, status in (
        (good, own, 0),
        (Script(recipients=good.recipients, implicit=True), ("--implicit-tls", *own), 0),
        (Script(recipients=good.recipients, starttls=False), ("--plain",), 0),
        (Script(always=b"250 ok\r\n"), ("--plain",), 1),
        (good, ("--plain", "--strict"), 1),
    ):
        with ScriptedPeer(script, identity=maker.server("localhost"), clients=maker.file) as peer:
            done = _run("smtp", f"localhost:{peer.port}", *options, *_PEOPLE, "-k", "test_order and (before or second)")
            assert done.returncode == status, (options, done.stdout[-3_000:])


@pytest.mark.parametrize(
    "arguments",
    [(), ("smtp",), ("smtp", "localhost"), ("smtp", "localhost:x"), ("smtp", "localhost:25", "--user", "u")],
)
def test_wrong_arguments(arguments: tuple[str, ...]) -> None:
    """A command line that cannot be meant is refused before anything is connected to."""
    assert _run(*arguments).returncode != 0
