"""``cjsm user lock`` and ``unlock``."""

import time
from pathlib import Path

import pytest

from cjsm import configuration
from cjsm.command.context import wait
from cjsm.community import finding
from cjsm.community.acts import locks
from cjsm.suite import Suite
from tests.command.conftest import Run, refused, told
from tests.command.test_device import ready
from tests.command.test_factor import JANE, later, shown, turned_on
from tests.command.test_user import PASSWORD, add


def guess_at(config: Path) -> None:
    """Let guesses have closed a network and guarded Jane."""
    suite = Suite(configuration.load(config))
    account = suite.stores.community.read_now(lambda view: finding.account_of(view, JANE))
    for tag in range(10):
        wait(suite.stores.activity.failed(account.id, "192.0.2.0/24", tag, int(time.time())))
    by = suite.by()
    wait(suite.stores.community.commit(by.act_id, lambda view: locks.guard(view, by, account.id, None)))
    wait(suite.stores.close())


@pytest.mark.parametrize("new", [True, False])
def test_locked_and_unlocked(cjsm: Run, new: bool) -> None:
    """It returns to what it was."""
    if new:
        add(cjsm)
    else:
        ready(cjsm)
    before = shown(cjsm)
    assert told(cjsm("user", "lock", JANE, "--reason", "laptop stolen", "--json"))["status"] == (
        "Locked (new user)" if new else "Locked"
    )
    assert shown(cjsm)["status"].startswith("Locked")
    assert "New User" in cjsm("user", "unlock", JANE).stdout or not new
    told(cjsm("user", "unlock", JANE, "--json"))
    assert shown(cjsm) == before


def test_after_guesses(cjsm: Run, config: Path) -> None:
    """What guesses led to is shown, and is gone after unlocking."""
    ready(cjsm)
    before = shown(cjsm)
    guess_at(config)
    found = shown(cjsm)
    assert (found["status"], found["closed_networks"]) == ("Locked", ["192.0.2.0/24"])
    assert found["guarded_since"]
    assert told(cjsm("user", "unlock", JANE, "--json"))["status"] == "Active"
    assert shown(cjsm) == before


def test_by_oneself(cjsm: Run, config: Path) -> None:
    """With password and a code; without a second factor nobody does it."""
    ready(cjsm)
    guess_at(config)
    unlock = ("user", "unlock", JANE, "--self", "--password-stdin", "--json")
    assert refused(cjsm(*unlock, typed=f"{PASSWORD}\n123456\n"))["error"]
    told(cjsm("user", "unlock", JANE, "--json"))
    one, codes = turned_on(cjsm)
    for code in (later(one), codes[0]):
        guess_at(config)
        assert refused(cjsm(*unlock, typed=f"wrong\n{code}\n"))["error"]
        assert refused(cjsm(*unlock, typed=f"{PASSWORD}\n000000\n"))["error"]
        assert told(cjsm(*unlock, typed=f"{PASSWORD}\n{code}\n"))["status"] == "Active"
        assert shown(cjsm)["closed_networks"] == []


def test_unknown(cjsm: Run) -> None:
    """With the cure."""
    for verb in ("lock", "unlock"):
        assert "user list" in refused(cjsm("user", verb, "nobody@avon", "--json"))["cure"]
