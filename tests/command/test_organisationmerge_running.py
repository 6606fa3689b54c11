"""``cjsm organisation merge`` beside the running service: mail to old and new addresses, kills, many people."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cjsm.community.invariants import problems
from tests.command.mailboxes import beside
from tests.running import Community

_BIN = Path(sys.executable).parent
#: More than come up in a few commits, and what `user import` makes at once.
_PEOPLE = 500
FIRM, FORCE = "smith-and-jones", "avon-police"

Person = dict[str, Any]


@pytest.fixture(scope="module")
def force(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Community]:
    """A community of one's own: in another one others look for the people who move here."""
    made = Community(tmp_path_factory.mktemp("merging") / "demo")
    made.make()
    yield made
    made.stop()


def message(sender: Person, to: str, subject: str) -> bytes:
    return f"Subject: {subject}\r\nFrom: {sender['address']}\r\nTo: {to}\r\n\r\n{subject}\r\n".encode()


def subjects(community: Community, person: Person, at_least: int) -> list[str]:
    found = community.messages(person, at_least=at_least).values()
    lines = (line for text in found for line in text.split(b"\r\n") if line.startswith(b"Subject: "))
    return sorted(line.decode().removeprefix("Subject: ") for line in lines)


def test_mail(force: Community) -> None:
    """Comes to everybody at the old and the new address, through lists and into shared mailboxes; passwords stay."""
    john, hannah = force.person("john.smith@smithjones"), force.person("hannah.levy@smithjones")
    tom = force.person("tom.harding@avon")
    ada = ("--as", "ada.central@office", "--password-stdin")
    typed = f"{force.person('ada.central@office')['password']}\n"
    for person in (john, hannah, tom):
        force.empty(person)
    suffix = john["address"].partition("@smithjones.")[2]
    force.document("list", "add", FIRM, "clerks", "--name", "Clerks", "--who-may-post", "community")
    force.document("list", "join", f"clerks@smithjones.{suffix}", hannah["address"])
    force.document("shared", "add", FIRM, "desk", "--name", "Desk", "--member", john["user_id"])
    made = force.document("organisation", "merge", FIRM, FORCE, "--reason", "requested", *ada, typed=typed)
    assert made["merged"]
    new = {each["former_addresses"][0]: each for each in made["people"] if each["former_addresses"]}
    now_john = john | new[john["address"]] | {"password": john["password"]}
    now_hannah = hannah | new[hannah["address"]]
    assert now_john["user_id"] == "john.smith@avon"
    for to, subject in (
        (john["address"], "to the old address"),
        (now_john["address"], "to the new address"),
        (f"clerks@smithjones.{suffix}", "to the old list"),
        (f"clerks@avon.{suffix}", "to the new list"),
        (f"desk@smithjones.{suffix}", "to the old desk"),
        (f"desk@avon.{suffix}", "to the new desk"),
    ):
        force.send(tom, {**tom, "address": to}, message(tom, to, subject))
    assert subjects(force, now_john, 2) == ["to the new address", "to the old address"]
    assert subjects(force, now_hannah, 2) == ["to the new list", "to the old list"]
    desk = now_john | {"user_id": f"{now_john['user_id']}/desk"}
    assert subjects(force, desk, 2) == ["to the new desk", "to the old desk"]
    # The old address, and the user ID that it is made of, sign in as long as it delivers.
    for name in (john["address"], john["user_id"]):
        assert len(subjects(force, now_john | {"user_id": name}, 2)) == 2
    force.send(now_john, tom, message(now_john, tom["address"], "from the new address"))
    assert subjects(force, tom, 1) == ["from the new address"]
    assert force.document("organisation", "show", f"{FORCE}/{FIRM}")["state"] == "deleted"


def begun(community: Community, *words: str) -> "subprocess.Popen[bytes]":
    """A command that goes on."""
    return subprocess.Popen([_BIN / "cjsm", *words], env=os.environ | {"CJSM_CONFIG": community.config},
                            stdout=subprocess.PIPE)  # fmt: skip


def people(community: Community, organisation: str) -> int:
    try:
        return int(community.document("organisation", "show", organisation)["users"])
    except AssertionError:
        return 0


def test_five_hundred_people_killed(force: Community, tmp_path: Path) -> None:
    """Again and again; whole each time, and at last everybody is there once, and gets mail at the old address."""
    force.document("organisation", "add", "many", "--name", "Many", "--abbreviation", "many")
    rows = [f"M,Pat,Number{number % 400},p{number}@example.org" for number in range(_PEOPLE)]
    source = tmp_path / "people.csv"
    source.write_text("\r\n".join(["Type,Firstname,Lastname,Ordinary Email", *rows]) + "\r\n")
    assert force.document("user", "import", str(source), "--organisation", "many")["made"] == _PEOPLE
    words = ("organisation", "merge", "many", f"{FORCE}/crime", "--reason", "other", "--json")
    before = people(force, f"{FORCE}/crime")
    with beside(Path(force.config)) as suite:
        community = suite.stores.community
        kills, commits = 0, community.number()
        for _ in range(4):
            process = begun(force, *words)
            ends = time.monotonic() + 60
            while process.poll() is None and community.number() == commits:
                assert time.monotonic() < ends
                time.sleep(0.002)
            kills += process.poll() is None
            process.send_signal(signal.SIGKILL)
            process.communicate()
            commits = community.number()
            assert community.read_now(problems) == []
        assert kills
    done = force.document(*words)
    assert len({each["user_id"] for each in done["people"]}) == len(done["people"]) == _PEOPLE
    assert people(force, f"{FORCE}/crime") == before + _PEOPLE
    tom = force.person("tom.harding@avon")
    last = done["people"][-1]
    force.send(tom, {**tom, "address": last["former_addresses"][0]}, message(tom, last["address"], "hello"))
    assert force.document("policy", "explain", "--from", tom["address"], "--to", last["former_addresses"][0])
