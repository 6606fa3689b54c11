"""``cjsm connection test`` without a running service; beside one it is tried in tests/relay/test_assessment.py."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cjsm.command.connectiontest import _vouched
from cjsm.mail.assessment import Verdict
from tests.command.conftest import Run, ran, refused, told
from tests.peers.certificates import CertificateMaker
from tests.peers.script import Script
from tests.peers.scripted import ScriptedPeer

TEST = ("connection", "test", "force")


@pytest.fixture
def force(cjsm: Run, config: Path) -> Run:
    """A connection in testing; nobody answers questions of DNS."""
    text = config.read_text()
    config.write_text(
        text.replace("nameservers = []", 'nameservers = ["127.0.0.1"]').replace("lookup = 5", "lookup = 1")
    )
    told(cjsm(*("connection", "add", "force", "avon", "--kind", "server", "--name", "Force mail", "--json")))
    return cjsm


@pytest.fixture
def domain(force: Run) -> Run:
    """The same with a domain."""
    told(force(*("connection", "domain", "add", "force", "force.example", "--json")))
    return force


def looked(config: Path, *options: str, name: str = "force") -> "subprocess.CompletedProcess[str]":
    """Run it in a process of its own: its reactor runs once in each."""
    return subprocess.run(
        [Path(sys.executable).parent / "cjsm", "connection", "test", name, *options],
        env=os.environ | {"CJSM_CONFIG": str(config)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def problems(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    """What was a problem, by what was looked at; the command ended with 1."""
    document = json.loads(done.stdout)
    assert (done.returncode, document["well"]) == (1, False)
    return {each["what"]: each for each in document["observations"] if each["verdict"] == "problem"}


@pytest.mark.usefixtures("domain")
def test_without_next_hops(config: Path) -> None:
    """That is the problem; what DNS says of its domains is seen all the same."""
    done = looked(config, "--json")
    assert "--next-hop" in problems(done)["next hop"]["cure"]
    looked_at = [each["what"] for each in json.loads(done.stdout)["observations"]]
    assert looked_at == ["next hop", "SPF", "DKIM", "DMARC", "MTA-STS"]


def test_kept_with_its_date(force: Run, config: Path) -> None:
    """The last one is shown as it was; so does `connection show`; before the first there is nothing."""
    assert "connection test force" in refused(force(*TEST, "--last", "--json"))["cure"]
    made = json.loads(looked(config, "--json").stdout)
    again = force(*TEST, "--last", "--json")
    assert (json.loads(again.stdout), again.exit_code) == (made, 1)
    assert told(force("connection", "show", "force", "--json"))["last_test"].startswith(made["moment"])
    newer = json.loads(looked(config, "--json", name="FORCE").stdout)
    assert json.loads(force(*TEST, "--last", "--json").stdout) == newer


def test_a_server(domain: Run, config: Path, tmp_path: Path) -> None:
    """People read a table: everything that was looked at, and what to do."""
    maker = CertificateMaker(tmp_path)
    authority = config.parent / "tls" / "authority.pem"
    with ScriptedPeer(Script(), identity=maker.server("localhost")) as peer:
        told(domain("connection", "edit", "force", "--next-hop", f"localhost:{peer.port}", "--json"))
        before = looked(config)
        config.write_text(config.read_text().replace(f'authority = "{authority}"', f'authority = "{maker.file}"'))
        after = looked(config)
        assert peer.exposed == []
    assert (before.returncode, "there are problems" in before.stdout) == (1, True)
    assert "cannot be trusted" in before.stdout
    assert (after.returncode, after.stderr) == (0, "")
    for words in ("all well", "TLSv1.3", "postmaster@force.example", "does not ask for it", "what to do"):
        assert words in after.stdout


def test_a_letter_without_a_service(domain: Run) -> None:
    """There is nobody to send it, so nothing is tested and nothing kept."""
    assert "start it" in refused(domain(*TEST, "--to", "jo@force.example.cjsm.test", "--json"))["cure"]
    assert refused(domain(*TEST, "--last", "--json"))


@pytest.mark.parametrize("to", ["jo@force.example", "jo@other.example.cjsm.test", "x@evil.com", "jane@avon.cjsm.test"])
def test_addresses_of_others(domain: Run, to: str) -> None:
    """No letter goes to anybody whose mail the connection does not take."""
    said = refused(domain(*TEST, "--to", to, "--json"))
    assert "force.example.cjsm.test" in said["cure"]


@pytest.mark.parametrize("to", ["jo", '"jo"@force.example.cjsm.test', "jo@force.example.cjsm.test."])
def test_no_addresses(domain: Run, to: str) -> None:
    """Refused with a reason, not with a surprise."""
    assert refused(domain(*TEST, "--to", to, "--json"))["error"]


def test_no_such_connection(force: Run) -> None:
    """The cure is where names are."""
    assert "connection list" in refused(force("connection", "test", "none", "--json"))["cure"]


def test_examples() -> None:
    """The help has examples, and says how a problem is told to programs."""
    said = ran("connection", "test", "--help").stdout
    assert "cjsm connection test firm --to" in said
    assert "Ends with 1" in said


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ("spf=pass dkim=pass (firm.example) dmarc=pass", Verdict.OK),
        ("spf=none dkim=none dmarc=none", Verdict.OK),
        ("", Verdict.OK),
        ("spf=pass dkim=fail (firm.example) dmarc=pass", Verdict.WARNING),
        ("spf=softfail dkim=none dmarc=fail", Verdict.WARNING),
    ],
)
def test_who_vouches_for_the_answer(found: str, verdict: Verdict) -> None:
    """A signature that does not hold is worth a word to its engineer."""
    assert _vouched("jo@firm.example.cjsm.test", found).verdict is verdict
