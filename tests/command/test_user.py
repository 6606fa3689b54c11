"""``cjsm user``."""

import time
from pathlib import Path
from typing import Any

import pytest

from cjsm import configuration
from cjsm.command.context import wait
from cjsm.community import finding
from cjsm.suite import Suite
from tests.command.conftest import Run, refused, told

PASSWORD = "violet tractor lamp nineteen"


def add(cjsm: Run, *more: str, first: str = "Jane", last: str = "Smith") -> Any:
    """Add somebody to crime."""
    return told(cjsm("user", "add", "avon/crime", "--first", first, "--last", last, "--json", *more))


def test_added(cjsm: Run) -> None:
    """User ID and address follow from the name; the one-time password is shown once."""
    made = add(cjsm)
    assert (made["user_id"], made["address"]) == ("jane.smith@avon", "jane.smith@avon.cjsm.test")
    shown = told(cjsm("user", "show", "Jane.Smith@avon.cjsm.test", "--json"))
    assert (shown["status"], shown["organisation"], shown["messages"]) == ("New User", "avon/crime", 0)
    assert made["one_time_password"] not in str(shown)
    assert add(cjsm)["user_id"] == "jane.smith-2@avon"
    assert [each["user_id"] for each in told(cjsm("user", "list", "--json"))] == [
        "jane.smith-2@avon",
        "jane.smith@avon",
    ]
    assert told(cjsm("user", "list", "--organisation", "avon/crime", "--json"))
    assert "jane.smith@avon" in cjsm("user", "list").stdout
    assert "New User" in cjsm("user", "show", "jane.smith@avon").stdout


def test_with_everything(cjsm: Run) -> None:
    """Profile, quota, a device password at once."""
    made = add(
        cjsm, "--user-id", "js@avon", "--device", "laptop", "--quota", "1000", "--telephone", "1", "--type", "Officer"
    )
    assert made["device_password"].startswith("d-")
    assert told(cjsm("user", "show", "js@avon", "--json"))["quota"] == 1000
    assert [each["name"] for each in told(cjsm("device", "list", "js@avon", "--json"))] == ["laptop"]


def test_set_password(cjsm: Run) -> None:
    """With the one-time password, then with the old one; bad ones are refused and change nothing."""
    one_time = add(cjsm)["one_time_password"]
    change = ("user", "set-password", "jane.smith@avon", "--password-stdin", "--json")
    assert refused(cjsm(*change, typed=f"{one_time}\nshort\n"))["cure"]
    assert refused(cjsm(*change, typed=f"{one_time}\njanesmithjanesmith\n"))["cure"]
    assert refused(cjsm(*change, typed=f"wrong\n{PASSWORD}\n"))["cure"]
    told(cjsm(*change, typed=f"{one_time}\n{PASSWORD}\n"))
    assert told(cjsm("user", "show", "jane.smith@avon", "--json"))["status"] == "Active"
    assert refused(cjsm(*change, typed=f"{one_time}\n{PASSWORD} again\n"))["error"]
    told(cjsm(*change, typed=f"{PASSWORD}\n{PASSWORD} again\n"))


def test_prompts(cjsm: Run) -> None:
    """Without --password-stdin it asks, the new one twice, and shows none of them."""
    one_time = add(cjsm)["one_time_password"]
    asked = cjsm("user", "set-password", "jane.smith@avon", typed=f"{one_time}\n{PASSWORD}\n{PASSWORD}\n")
    assert asked.exit_code == 0, asked.output
    assert PASSWORD not in asked.output
    assert one_time not in asked.output


def test_refused(cjsm: Run) -> None:
    """Unknown people, places, names of which no user ID can be made, taken ones, addresses of other domains."""
    add(cjsm)
    assert "user list" in refused(cjsm("user", "show", "nobody@avon", "--json"))["cure"]
    base = ("user", "add", "avon/crime", "--json", "--last", "Smith")
    assert refused(cjsm("user", "add", "no/where", "--first", "A", "--last", "B", "--json"))["error"]
    assert "--user-id" in refused(cjsm(*base[:4], "--first", "明", "--last", "王"))["cure"]
    assert told(cjsm(*base[:4], "--first", "明", "--last", "王", "--user-id", "ming.wang@avon", "--json"))
    assert refused(cjsm(*base, "--first", "Jane", "--user-id", "jane.smith@avon"))["error"]
    assert refused(cjsm(*base, "--first", "Jane", "--user-id", "jane.smith@firm"))["error"]
    assert refused(cjsm(*base, "--first", "Jane", "--address", "jane@firm.co.uk.cjsm.test"))["cure"]
    assert refused(cjsm("user", "list", "--organisation", "none", "--json"))["error"]


@pytest.mark.parametrize(
    "words",
    [
        ("user", "add", "avon/crime", "--last", "Smith", "--first", "a" * 10_000),
        ("user", "add", "avon/crime", "--last", "Smith", "--first", "明" * 10_000),
        ("organisation", "add", "avon/" + "a" * 10_000, "--name", "A"),
        ("organisation", "add", "avon/a", "--name", "a" * 10_000),
        ("list", "add", "avon", "a" * 10_000, "--name", "A"),
        ("list", "add", "avon", "a", "--name", "a" * 10_000),
    ],
)
def test_very_long_names(cjsm: Run, words: tuple[str, ...]) -> None:
    """The refusal says their beginning again, not all of them, and what to do."""
    answer = refused(cjsm(*words, "--json"))
    assert len(answer["error"]) < 200
    assert answer["cure"]


def test_who_is_kept_out_is_shown(cjsm: Run, config: Path) -> None:
    """From which networks too many different passwords failed, and how the log calls the user."""
    added = told(cjsm("user", "add", "avon", "--first", "Ann", "--last", "Other", "--json"))
    shown = told(cjsm("user", "show", added["user_id"], "--json"))
    assert shown["closed_networks"] == []
    assert len(shown["name_in_logs"]) == 12
    suite = Suite(configuration.load(config))
    account = suite.stores.community.read_now(lambda view: finding.account_of(view, added["user_id"]))
    for network, tries in (("192.0.2.0/24", 10), ("198.51.100.0/24", 9)):
        for tag in range(tries):
            wait(suite.stores.activity.failed(account.id, network, tag, int(time.time())))
    wait(suite.stores.close())
    assert told(cjsm("user", "show", added["user_id"], "--json"))["closed_networks"] == ["192.0.2.0/24"]
