"""``cjsm check``."""

import json
import shutil
import socket
import time
from contextlib import closing
from pathlib import Path

import pytest

from cjsm import configuration
from cjsm.vault.certificates import Authority
from cjsm.vault.secrets import create
from tests.command.conftest import Run, told
from tests.peers.certificates import CertificateMaker
from tests.running import free_port_base


def found(cjsm: Run, config: Path) -> dict[str, dict[str, str]]:
    """Findings by what was looked at; doors on ports that nobody has."""
    base = free_port_base()
    for door, port in (("submissions", 465), ("submission", 587), ("pop3s", 995), ("ldaps", 636)):
        config.write_text(
            config.read_text().replace(f'{door} = "tcp:{port}"', f'{door} = "tcp:{base + port}:interface=127.0.0.1"')
        )
    result = cjsm("check", "--json")
    findings = {each["what"]: each for each in json.loads(result.stdout)}
    problems = [each for each in findings.values() if each["problem"]]
    assert all(each["cure"] for each in problems)
    assert result.exit_code == (1 if any(not each["warning"] for each in problems) else 0)
    return findings


def problem(cjsm: Run, config: Path, what: str) -> str:
    """What is wrong with one thing; nothing else is, but that the test keeps all on one file system."""
    findings = found(cjsm, config)
    assert {name for name, each in findings.items() if each["problem"]} - {"apart"} == {what}
    return findings[what]["problem"]


def test_all_is_well(cjsm: Run, config: Path) -> None:
    """Everything is looked at and named."""
    findings = found(cjsm, config)
    assert {name for name, each in findings.items() if each["problem"]} <= {"apart"}
    assert set(findings) >= {"settings", "permissions", "disk", "secrets", "certificate", "pop3s", "ldaps", "stores"}
    said = cjsm("check")
    assert "ok" in said.stdout


def test_settings(cjsm: Run, config: Path) -> None:
    """Nothing else can be looked at."""
    config.write_text("[nonsense]\n")
    result = cjsm("check", "--json")
    (only,) = json.loads(result.stdout)
    assert (result.exit_code, only["what"]) == (1, "settings")
    assert "did you mean" in only["cure"]


def test_permissions(cjsm: Run, config: Path) -> None:
    """A data directory that others may read."""
    (config.parent / "data").chmod(0o755)
    assert problem(cjsm, config, "permissions")


def test_secrets(cjsm: Run, config: Path) -> None:
    """One that is missing."""
    (config.parent / "secrets" / "pepper.1").unlink()
    findings = found(cjsm, config)
    assert "pepper" in findings["secrets"]["problem"]


def test_signing(cjsm: Run, config: Path) -> None:
    """A community from before there were keys for it is told how to get them, and that is the cure."""
    keys = [config.parent / "secrets" / f"{name}.1" for name in ("dkim-rsa", "dkim-ed25519")]
    keys[0].unlink()
    assert "one signature less: no dkim-rsa" in problem(cjsm, config, "signing")
    keys[1].unlink()
    assert "unsigned" in problem(cjsm, config, "signing")
    finding = found(cjsm, config)["signing"]
    assert finding["warning"]
    assert "cjsm init" in finding["cure"]
    assert cjsm("init").exit_code == 0
    assert all(key.exists() for key in keys)
    assert not found(cjsm, config)["signing"]["problem"]


@pytest.mark.parametrize("days", [10, -5])
def test_certificate(cjsm: Run, config: Path, days: int) -> None:
    """One that ends soon, or has ended."""
    tls, now = config.parent / "tls", int(time.time())
    authority = Authority.load(tls / "authority.pem", tls / "authority.key")
    authority.issue(("localhost",), now - 86_400 * (30 - days), 30, tls / "server.pem", tls / "server.key")
    assert problem(cjsm, config, "certificate")


def test_secrets_of_another_community(cjsm: Run, config: Path) -> None:
    """They look well, and open nothing."""
    told(cjsm("user", "add", "avon", "--first", "Jane", "--last", "Smith", "--json"))
    assert not found(cjsm, config)["stores"]["problem"]
    shutil.rmtree(config.parent / "secrets")
    create(config.parent / "secrets")
    assert "secrets are not those" in problem(cjsm, config, "stores")


def test_low_ports_are_the_services_to_try(cjsm: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may not listen there learns nothing from trying."""

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "create_server", denied)
    assert not found(cjsm, config)["submissions"]["problem"]


def test_the_relay_doors_certificate(cjsm: Run, config: Path) -> None:
    """It is looked at where the door is open, and must be for the door's own name."""
    assert "relay" not in found(cjsm, config)
    plain = config.read_text().replace('relay = ""', f'relay = "tcp:{free_port_base() + 25}:interface=127.0.0.1"')
    config.write_text(plain)
    assert not found(cjsm, config)["relay certificate"]["problem"]
    section, _, rest = plain.partition("[relay]")[2].partition("[pop3]")
    other = section.replace('host_name = "localhost"', 'host_name = "other.example"')
    config.write_text(plain.replace(section, other))
    assert rest
    assert "other.example" in problem(cjsm, config, "relay certificate")


def test_what_is_shown_to_organisations_servers(cjsm: Run, config: Path) -> None:
    """The certificate that init made is good for it; one for servers only is told of, and init issues another."""
    port = f'relay = "tcp:{free_port_base() + 25}:interface=127.0.0.1"'
    config.write_text(config.read_text().replace('relay = ""', port))
    assert not found(cjsm, config)["client certificate"]["problem"]
    tls = config.parent / "tls"
    bought = CertificateMaker(config.parent / "public").server("localhost", ends=300)
    shutil.copy(bought.certificate, tls / "server.pem")
    shutil.copy(bought.key, tls / "server.key")
    assert "for servers only" in problem(cjsm, config, "client certificate")
    client = f'client_certificate = "{tls / "client.pem"}"'
    plain = config.read_text().replace('client_certificate = ""', client)
    config.write_text(plain.replace('client_key = ""', f'client_key = "{tls / "client.key"}"'))
    assert cjsm("init").exit_code == 0
    assert not found(cjsm, config)["client certificate"]["problem"]


def test_port(cjsm: Run, config: Path) -> None:
    """Somebody else listens there."""
    found(cjsm, config)
    with closing(socket.socket()) as other:
        port = int(configuration.load(config).pop3.pop3s.split(":")[1])
        other.bind(("127.0.0.1", port))
        other.listen()
        assert str(port) in problem(cjsm, config, "pop3s")


def test_stores(cjsm: Run, config: Path) -> None:
    """A damaged one."""
    (config.parent / "data" / "community.mdb").write_bytes(b"nonsense" * 1_000)
    findings = found(cjsm, config)
    assert findings["stores"]["problem"]


def test_disk(cjsm: Run, config: Path) -> None:
    """Less room than the floor."""
    config.write_text(config.read_text().replace("disk_floor = 268435456", f"disk_floor = {2**60}"))
    assert "refused" in problem(cjsm, config, "disk")
