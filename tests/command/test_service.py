"""``cjsm status`` and ``cjsm reload``, with and without a service."""

import json
import poplib
from contextlib import closing
from pathlib import Path

import pytest

from tests.command.conftest import Run, refused, told
from tests.running import Community


def test_nobody_runs(cjsm: Run) -> None:
    """Status says so and shows the rest; there is nothing to reload."""
    document = told(cjsm("status", "--json"))
    assert document["service"]["running"] is False
    assert (document["queue"]["messages"], document["certificate"]["names"]) == (0, ["localhost"])
    assert document["disk"]["free_mib"] > 0
    assert "twistd" in refused(cjsm("reload", "--json"))["cure"]
    assert cjsm("status").exit_code == 0


def test_beside_the_service(community: Community) -> None:
    """Its sessions, doors, queue and jobs; reload answers with its process."""
    document = json.loads(community.command("status", "--json").stdout)
    assert document["service"]["process"] == community.pid
    assert len(document["service"]["doors"]) == 5
    assert {job["kind"] for job in document["jobs"]} == {
        "orphans",
        "activity",
        "inactivity",
        "deleted-mail",
        "unnamed-keys",
        "rotation",
        "empty-generations",
        "destruction",
        "factors",
        "recovery-ends",
        "applications",
        "delivered",
        "trace",
        "password-warnings",
        "certificate-warnings",
        "terms-warnings",
        "failing-connections",
        "capacity",
        "notices",
        "ledger-checkpoint",
    }
    assert json.loads(community.command("reload", "--json").stdout) == {"process": community.pid}


def test_what_crashes_leaves_no_memory_behind(community: Community) -> None:
    """Opened mail is in it: the service's core dumps are off, whatever its caller allows."""
    limits = Path(f"/proc/{community.pid}/limits").read_text()
    (core,) = [line.split() for line in limits.splitlines() if line.startswith("Max core file size")]
    assert core[4:6] == ["0", "0"]


def test_a_whole_life_beside_the_service(community: Community) -> None:
    """Added, given a password and a device, seen by every door at once, revoked, and out within seconds."""
    added = json.loads(
        community.command(
            "user", "add", "avon-police/crime", "--first", "Late", "--last", "Comer", "--device", "phone", "--json"
        ).stdout
    )
    account = {"user_id": added["user_id"], "password": added["device_password"], "address": added["address"]}
    session = community.pop3(account)
    assert session.stat() == (0, 0)
    community.send(community.person("jane.smith@avon"), account, b"From: jane.smith@avon.cjsm.test\r\n\r\nWelcome.\r\n")
    session.quit()
    assert len(community.messages(account, at_least=1)) == 1
    open_one = community.pop3(account)
    assert community.command("device", "revoke", added["user_id"], "phone").returncode == 0
    with closing(open_one), pytest.raises((poplib.error_proto, OSError)):
        open_one.stat()
