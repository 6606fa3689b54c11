"""``cjsm connection certificate``: files to hand over, and the record that the door asks."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cjsm.vault.certificates import Authority
from tests.command.conftest import Run, refused, told

COMMAND = ("connection", "certificate")


@pytest.fixture
def force(cjsm: Run) -> Run:
    """A community with a connection in testing."""
    told(
        cjsm(
            *("connection", "add", "force", "avon", "--kind", "server", "--name", "Force mail"),
            *("--next-hop", "mail.force.example:25", "--json"),
        )
    )
    return cjsm


def listed(cjsm: Run, *name: str) -> Any:
    """What the community has on record."""
    return told(cjsm(*COMMAND, "list", *name, "--json"))


def test_issued(force: Run, tmp_path: Path) -> None:
    """Certificate and key as files, the key for its owner alone; the record has the certificate's fingerprint."""
    made = told(force(*COMMAND, "issue", "force", "--directory", str(tmp_path), "--json"))
    read = x509.load_pem_x509_certificate(Path(made["certificate"]).read_bytes())
    assert read.fingerprint(hashes.SHA256()).hex() == made["fingerprint"]
    assert Path(made["key"]).stat().st_mode & 0o777 == 0o600
    (known,) = listed(force)
    assert (known["serial"], known["state"], known["connection"]) == (made["serial"], "in force", "force")
    assert known["days_left"] in (364, 365)
    assert told(force("connection", "show", "force", "--json"))["missing"] == ["an approved domain"]
    assert made["serial"] in force(*COMMAND, "list").stdout


def test_one_at_a_time(force: Run, tmp_path: Path) -> None:
    """A second is refused with the cure and leaves no file; renewing gives one beside the first."""
    assert "issue one" in refused(force(*COMMAND, "renew", "force", "--json"))["cure"]
    first = told(force(*COMMAND, "issue", "force", "--directory", str(tmp_path), "--json"))
    other = tmp_path / "other"
    other.mkdir()
    command = (*COMMAND, "issue", "force", "--directory", str(other), "--json")
    assert "renew" in refused(force(*command))["cure"]
    assert list(other.iterdir()) == []
    assert "move it away" in refused(force(*COMMAND, "renew", "force", "--directory", str(tmp_path), "--json"))["cure"]
    said = force(*COMMAND, "renew", "force", "--directory", str(other))
    assert "revoke the one before" in said.stdout
    assert len(listed(force, "force")) == 2
    revoked = told(force(*COMMAND, "revoke", "force", first["serial"], "--reason", "renewed", "--json"))
    assert [each["state"] for each in revoked] == ["in force", "revoked"]
    assert force(*COMMAND, "revoke", "force", first["serial"]).exit_code == 2
    assert refused(force(*COMMAND, "revoke", "force", "00", "--reason", "x", "--json"))["cure"]


def test_request(force: Run, tmp_path: Path) -> None:
    """The organisation's key stays there."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    path = tmp_path / "force.csr"
    path.write_bytes(request.public_bytes(serialization.Encoding.PEM))
    command = (*COMMAND, "issue", "force", "--request", str(path), "--directory", str(tmp_path), "--json")
    made = told(force(*command))
    assert made["key"] is None
    assert not (tmp_path / "force.key").exists()
    read = x509.load_pem_x509_certificate(Path(made["certificate"]).read_bytes())
    assert read.public_key() == key.public_key()


def test_requests_that_are_not_taken(force: Run, tmp_path: Path) -> None:
    """No file, no request, not one's own host, nobody's connection, no place to write: nothing is on record."""
    (tmp_path / "x.csr").write_text("nonsense")
    for more in (
        ("force", "--request", str(tmp_path / "none.csr")),
        ("force", "--request", str(tmp_path / "x.csr")),
        ("force", "--host", "mail.cjsm.test"),
        ("none",),
        ("force", "--directory", str(tmp_path / "none")),
    ):
        command = (*COMMAND, "issue", "--directory", str(tmp_path), *more, "--json")
        assert refused(force(*command))["error"]
    assert listed(force) == []
    assert [path.name for path in tmp_path.glob("force*")] == []


def test_hosts(force: Run, tmp_path: Path) -> None:
    """For a server that shows it both ways."""
    command = (*COMMAND, "issue", "force", "--host", "mail.force.example", "--server", "--directory", str(tmp_path))
    made = told(force(*command, "--days", "30", "--json"))
    read = x509.load_pem_x509_certificate(Path(made["certificate"]).read_bytes())
    names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["mail.force.example"]
    assert len(list(read.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)) == 2
    assert listed(force)[0]["days_left"] in (29, 30)


def test_authority_that_cannot_be_read(force: Run, config: Path, tmp_path: Path) -> None:
    """Its key may be kept elsewhere: said, and nothing written."""
    (config.parent / "tls" / "authority.key").unlink()
    assert refused(force(*COMMAND, "issue", "force", "--directory", str(tmp_path), "--json"))["cure"]
    assert listed(force) == []


def test_revocations(force: Run, tmp_path: Path) -> None:
    """A list for those who ask for one."""
    made = told(force(*COMMAND, "issue", "force", "--directory", str(tmp_path), "--json"))
    told(force(*COMMAND, "revoke", "force", made["serial"], "--reason", "lost", "--json"))
    assert told(force(*COMMAND, "revocations", str(tmp_path / "crl.pem"), "--json"))["revoked"] == 1
    (entry,) = x509.load_pem_x509_crl((tmp_path / "crl.pem").read_bytes())
    assert f"{entry.serial_number:x}" == made["serial"]
    assert "1 revoked" in force(*COMMAND, "revocations", str(tmp_path / "again.pem")).stdout


@pytest.mark.parametrize(
    ("days", "warning", "words"), [(70, None, ""), (50, True, "within a month"), (20, True, "now"), (5, False, "now")]
)
def test_check_warns_of_ends(force: Run, tmp_path: Path, days: int, warning: bool | None, words: str) -> None:
    """At 60, 30 and 7 days."""
    from cjsm.command.checkconnections import ending

    told(force(*COMMAND, "issue", "force", "--days", str(days), "--directory", str(tmp_path), "--json"))
    found = force("check", "--json")
    about = [each for each in __import__("json").loads(found.stdout) if each["what"] == "connections"]
    if warning is None:
        assert not about[0]["problem"]
    else:
        assert (about[0]["warning"], words in about[0]["cure"]) == (warning, True)
        assert "certificate renew force" in about[0]["cure"]
    now = time.time()
    assert "has ended" in ending("what", "it", int(now) - 1, now, "renew").problem


def test_check_of_the_authority(force: Run, config: Path) -> None:
    """With it ends everything that it issued."""
    tls = config.parent / "tls"
    Authority.make("Old", int(time.time()) - 86_400 * 10, 20).save(tls / "authority.pem", tls / "authority.key")
    assert "authority ends in" in force("check").stdout
    (tls / "authority.pem").write_text("nonsense")
    assert "problem" in force("check").stdout


def test_check_of_a_live_connection(force: Run, tmp_path: Path) -> None:
    """One that nothing proves any more is a problem; a suspended one is none."""
    made = told(force(*COMMAND, "issue", "force", "--directory", str(tmp_path), "--json"))
    told(force("connection", "domain", "add", "force", "force.example", "--json"))
    told(force("connection", "live", "force", "--json"))
    told(force(*COMMAND, "revoke", "force", made["serial"], "--reason", "lost", "--json"))
    assert "force is live without a client certificate" in force("check").stdout
    told(force("connection", "suspend", "force", "--reason", "no certificate", "--json"))
    assert "live without" not in force("check").stdout


_ROOT = """
import encodings.ascii, encodings.idna, os, sys
from click.testing import CliRunner
from cjsm.command.main import main
result = CliRunner().invoke(main, ["connection", "certificate", *sys.argv[1:]])
print(result.output, result.exception, os.geteuid())
sys.exit(result.exit_code)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_issues_for_a_service_that_is_not(force: Run, config: Path, tmp_path: Path) -> None:
    """The authority's key and the new files are root's; what is in the data directory stays the service's."""
    owner, data = 65534, config.parent / "data"
    for path in (data, *data.rglob("*"), config.parent / "secrets", *(config.parent / "secrets").iterdir()):
        os.chown(path, owner, owner)
    for above in config.parents:
        above.chmod(above.stat().st_mode | 0o011)
    config.chmod(0o644)
    place = tmp_path / "roots"
    place.mkdir(mode=0o700)
    environment = os.environ | {"CJSM_CONFIG": str(config)}
    done = subprocess.run(
        [sys.executable, "-c", _ROOT, "issue", "force", "--directory", str(place)],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split()[-1] == "0"
    assert (place / "force.key").stat().st_uid == 0
    assert {path.stat().st_uid for path in data.rglob("*")} == {owner}
