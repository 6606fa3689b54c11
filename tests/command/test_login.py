"""``cjsm login``: an agent of one's own, for a time."""

import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from cjsm.command import agent
from tests.command.conftest import Run, refused, told
from tests.command.test_device import ready
from tests.command.test_factor import later, turned_on
from tests.command.test_recovery import HENRY, JANE, OLIVE, UNA, _officers_made, officers
from tests.command.test_user import PASSWORD

__all__ = ["_officers_made", "officers"]


@pytest.fixture(autouse=True)
def run_directory(monkeypatch: pytest.MonkeyPatch, config: Path) -> Iterator[Path]:
    """The caller's own run directory, with a short name as such have; an agent that is left there ends."""
    with tempfile.TemporaryDirectory(prefix="cjsm-") as directory:
        monkeypatch.setenv("XDG_RUNTIME_DIR", directory)
        yield Path(directory)
        with suppress(PermissionError):
            agent.end(agent.place(config))


def login(run: Run, user: str, typed: str = PASSWORD) -> None:
    told(run("login", user, "--password-stdin", "--json", typed=f"{typed}\n"))


def test_signed_in(officers: Run, run_directory: Path) -> None:
    """Acts need no password until the end; the socket is the caller's alone, and goes."""
    login(officers, HENRY)
    (path,) = run_directory.glob("*/agent-*.sock")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    made = told(officers("user", "reset-password", JANE, "--reason", "forgotten", "--as", HENRY, "--json"))
    assert made["one_time_password"]
    assert "role" in refused(officers("user", "suspend", JANE, "--reason", "left", "--as", HENRY, "--json"))["error"]
    assert told(officers("logout", "--json")) == {"ended": True}
    assert told(officers("logout", "--json")) == {"ended": False}
    assert not path.exists()
    # Somebody else, and nobody signed in: asked for again, and there is no terminal to type at.
    assert officers("user", "reset-password", JANE, "--reason", "forgotten", "--as", HENRY).exit_code == 1


def test_another_signs_in(officers: Run, config: Path) -> None:
    """Whoever was before is signed out, and that is said; without a terminal, who is signed in, and both cures."""
    login(officers, HENRY)
    assert f"{HENRY} is signed out" in officers("login", OLIVE, "--password-stdin", typed=f"{PASSWORD}\n").stdout
    assert "signed out" not in officers("login", OLIVE, "--password-stdin", typed=f"{PASSWORD}\n").stdout
    done = subprocess.run(
        [Path(sys.executable).parent / "cjsm", "user", "list", "--as", HENRY, "--json"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        env=os.environ | {"CJSM_CONFIG": str(config)},
    )
    answer = json.loads(done.stdout)
    assert f"{OLIVE} is signed in" in answer["error"]
    assert f"cjsm login {HENRY}" in answer["cure"]
    assert "--password-stdin" in answer["cure"]
    made = told(officers("login", UNA, "--password-stdin", "--json", typed=f"{PASSWORD}\n"))
    assert made["signed_out"] == OLIVE


def test_with_a_second_factor(cjsm: Run) -> None:
    """A password alone is not enough: a code is asked for too, and each is good once."""
    ready(cjsm)
    one, _ = turned_on(cjsm)
    code = later(one)
    wrong = refused(cjsm("login", JANE, "--password-stdin", "--json", typed=f"{PASSWORD}\n"))
    assert "Code of the authenticator" in wrong["error"]
    assert refused(cjsm("login", JANE, "--password-stdin", "--json", typed=f"{PASSWORD}\n000000\n"))
    assert told(cjsm("login", JANE, "--password-stdin", "--json", typed=f"{PASSWORD}\n{code}\n"))["until"]
    assert refused(cjsm("login", JANE, "--password-stdin", "--json", typed=f"{PASSWORD}\n{code}\n"))


def test_officers_key(officers: Run) -> None:
    """An approval uses the key that the sign-in opened."""
    told(officers("keys", "rotate", JANE, "--json"))
    told(officers("user", "reset-password", JANE, "--reason", "forgotten", "--json"))
    made = told(officers("recovery", "request", JANE, "--reason", "forgotten", "--json"))
    for who, state in ((UNA, "counter-signed"), (OLIVE, "opened")):
        login(officers, who)
        assert told(officers("recovery", "approve", made["request"], "--as", who, "--json"))["state"] == state


def test_wrong_password_leaves_nothing(officers: Run, run_directory: Path) -> None:
    assert refused(officers("login", HENRY, "--password-stdin", "--json", typed="wrong\n"))["cure"]
    assert not list(run_directory.glob("*/agent-*.sock"))
    assert refused(officers("login", "nobody@avon", "--password-stdin", "--json", typed="x\n"))["cure"]


def test_ends_with_the_password(officers: Run) -> None:
    """Who was reset meanwhile acts no more, agent or not."""
    login(officers, HENRY)
    told(officers("user", "reset-password", HENRY, "--reason", "compromised", "--json"))
    assert refused(officers("user", "reset-password", JANE, "--reason", "other", "--as", HENRY, "--json"))["error"]


#: Verbs from before there was anybody to act as, with who may.
OLDER = (
    (UNA, ("role", "grant", JANE, "engineer")),
    (UNA, ("organisation", "add", "avon/new", "--name", "New")),
    (UNA, ("connection", "add", "firm", "avon", "--kind", "server", "--name", "Firm")),
    (UNA, ("connection", "certificate", "list")),
    (UNA, ("queue", "hold", "--all")),
    (UNA, ("mailbox", "verify", "--all")),
    (OLIVE, ("user", "add", "avon", "--first", "Al", "--last", "Ng")),
    (OLIVE, ("device", "list", JANE)),
    (HENRY, ("user", "list")),
)


def test_with_the_older_verbs(officers: Run) -> None:
    """Whoever signed in is asked nothing by any of them; their roles decide, and the ledger names them."""
    signed_in = ""
    for who, words in OLDER:
        if who != signed_in:
            login(officers, who)
            signed_in = who
        told(officers(*words, "--as", who, "--json"))
    assert "role" in refused(officers("role", "grant", JANE, "helpdesk", "--as", HENRY, "--json"))["error"]
    assert refused(officers("trace", "0123456789abcdef", "--as", HENRY, "--json"))["error"].startswith("the trace")


def test_a_locked_person_acts_no_more(officers: Run) -> None:
    """Whatever an agent keeps."""
    login(officers, HENRY)
    told(officers("user", "lock", HENRY, "--reason", "laptop stolen", "--json"))
    assert (
        refused(officers("user", "list", "--as", HENRY, "--json"))["error"] == "this account may not act at the moment"
    )


def test_name_in_other_words(officers: Run) -> None:
    """By address as well, and in other letters."""
    login(officers, "Henry.Desk@avon.cjsm.test")
    assert told(officers("user", "list", "--as", HENRY, "--json"))
    assert told(officers("user", "list", "--as", "HENRY.desk@AVON", "--json"))
