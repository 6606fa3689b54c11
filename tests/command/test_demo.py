"""``cjsm demo``."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

from tests.running import Community, free_port_base

_CJSM = Path(sys.executable).parent / "cjsm"


def test_demo_json(community: Community) -> None:
    """The file that scripts are built on: its shape does not change."""
    path = community.directory / "demo.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    told = community.told
    assert list(told) == [
        *("host", "suffix", "ca_file", "base_dn", "data_directory", "config_file", "pid_file", "unknown_address"),
        *("ports", "accounts"),
    ]
    assert list(told["ports"]) == ["submissions", "submission", "relay", "pop3s", "ldaps", "ldap"]
    assert [name for name, port in told["ports"].items() if port is None] == ["ldap"]
    assert (told["host"], told["suffix"], told["base_dn"]) == ("localhost", "cjsm.test", "dc=cjsm,dc=test")
    assert not path.is_relative_to(told["data_directory"])
    for account in told["accounts"]:
        assert list(account) == [
            *("user_id", "address", "name", "kind", "organisation", "roles", "password", "device_password")
        ]
        assert all(list(role) == ["role", "organisation"] for role in account["roles"])


def test_people(tmp_path: Path) -> None:
    """At least twelve hosted ones, first; every role; some relayed; all active, where nobody has guessed yet."""
    community = Community(tmp_path / "demo")
    community.prepare()
    kinds = [account["kind"] for account in community.told["accounts"]]
    assert kinds == sorted(kinds)
    assert kinds.count("hosted") >= 12
    assert "relayed" in kinds
    roles = {role["role"] for account in community.told["accounts"] for role in account["roles"]}
    assert roles == {
        *("community-administrator", "organisation-administrator", "helpdesk", "engineer", "mailbox-user"),
    }
    listed = json.loads(community.command("user", "list", "--json").stdout)
    made = {account["user_id"] for account in community.told["accounts"]}
    assert {each["status"] for each in listed if each["user_id"] in made} == {"Active"}


def test_organisations(community: Community) -> None:
    """Three at the top, one of them with two levels below."""
    paths = [each["path"] for each in json.loads(community.command("organisation", "list", "--json").stdout)]
    assert len([path for path in paths if "/" not in path]) == 3
    assert max(path.count("/") for path in paths) == 2


def test_both_passwords_everywhere(community: Community) -> None:
    """Of hosted people, over SMTP and POP3."""
    for account in community.hosted()[:3]:
        for kind in ("password", "device_password"):
            person = account | {"password": account[kind]}
            community.smtp(person).quit()
            community.pop3(person).quit()


def test_runs_until_it_is_ended_and_starts_again(tmp_path: Path) -> None:
    """In the foreground, by whichever signal, also where a script ignores Ctrl-C for what it starts behind it; the
    next start has the same people and passwords, and nothing of the one before still runs.
    """
    home, base = tmp_path / "demo", str(free_port_base())
    command = [_CJSM, "demo", "--directory", home, "--port-base", base]
    documents = []
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        ) as running:
            assert running.stdout is not None
            said = ""
            while "Running. Stop it with Ctrl-C." not in said:
                line = running.stdout.readline()
                assert line, said
                said += line
            for word in ("curl", "swaks", "openssl s_client", "ldapsearch", "jane.smith@avon"):
                assert word in said
            (line,) = (line for line in said.splitlines() if line.startswith("export "))
            asked = subprocess.run(
                ["/bin/sh", "-c", f"{line}\ncjsm organisation list --json"],
                capture_output=True,
                text=True,
                env={**os.environ, "PATH": os.defpath},
                timeout=60,
            )
            assert "avon" in asked.stdout, asked.stderr
            again = subprocess.run([*command, "--detach"], capture_output=True, text=True, timeout=60)
            assert again.returncode == 0, again.stdout + again.stderr
            running.send_signal(ending)
            try:
                rest = running.communicate(timeout=30)[0]
            finally:
                running.kill()
            assert "stopped" in rest
        documents.append(json.loads((home / "demo.json").read_text()))
        time.sleep(0.2)
    assert documents[0] == documents[1] == documents[2]


def test_ended_while_it_starts(tmp_path: Path) -> None:
    """Nothing is left running."""
    home = tmp_path / "demo"
    command = [_CJSM, "demo", "--directory", home, "--port-base", str(free_port_base())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        ends = time.monotonic() + 60
        while not (home / "service.err").exists() and time.monotonic() < ends:
            time.sleep(0.01)
        running.send_signal(signal.SIGTERM)
        try:
            assert "stopped" in running.communicate(timeout=30)[0]
        finally:
            running.kill()
    assert not [pid for pid in Path("/proc").glob("[0-9]*") if str(home) in _command_line(pid)]


def _command_line(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def test_port_in_use(tmp_path: Path, community: Community) -> None:
    """Said with the cure, before anything is made."""
    done = subprocess.run(
        [_CJSM, "demo", "--directory", tmp_path / "demo", "--port-base", str(community.port_base), "--detach"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert str(community.port("pop3s")) in done.stderr
    assert "cure: choose others: --port-base 2" in done.stderr
    assert not (tmp_path / "demo").exists()
