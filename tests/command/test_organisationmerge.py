"""``cjsm organisation merge``."""

import json
from pathlib import Path
from typing import Any

import pytest

from cjsm.command.context import wait
from cjsm.ledger.entries import decode_entry
from tests.command.conftest import Run, refused, told
from tests.command.mailboxes import beside

REASON = ("--reason", "requested", "--json")


@pytest.fixture
def force(cjsm: Run) -> Run:
    """Avon, with people, a list and a desk in Crime and a branch below it; a firm; whom they are administered by."""
    for path, more in (("avon/crime/fraud", ()), ("firm", ("--abbreviation", "firm")), ("firm/clerks", ())):
        told(cjsm("organisation", "add", path, "--name", path.title(), *more, "--json"))
    for place, first in (("firm", "Ann"), ("firm", "Ben"), ("firm/clerks", "Cleo"), ("avon", "Ann"), ("avon", "Olive")):
        told(cjsm("user", "add", place, "--first", first, "--last", "Law", "--json"))
    told(cjsm("list", "add", "firm", "all", "--name", "All", "--who-may-post", "community", "--json"))
    told(cjsm("list", "join", "all@firm.cjsm.test", "ann.law@firm.cjsm.test", "ben.law@firm.cjsm.test", "--json"))
    told(cjsm("list", "add", "avon", "outer", "--name", "Outer", "--json"))
    told(cjsm("list", "join", "outer@avon.cjsm.test", "all@firm.cjsm.test", "cleo.law@firm.cjsm.test", "--json"))
    told(cjsm("shared", "add", "firm", "desk", "--name", "Desk", "--member", "ben.law@firm", "--json"))
    told(cjsm("role", "grant", "ben.law@firm", "organisation-administrator", "--organisation", "firm", "--json"))
    return cjsm


def entries(config: Path) -> list[Any]:
    with beside(config) as suite:
        return [decode_entry(encoded) for _, encoded in wait(suite.stores.community.entries(0, 10_000))]


def test_merged(force: Run, config: Path) -> None:
    """Who has which address now, whose roles ended; asked again, it is the same answer and nothing is done."""
    made = told(force("organisation", "merge", "firm", "avon", *REASON))
    assert made["people"] == [
        {"user_id": "ann.law-2@avon", "address": "ann.law-2@avon.cjsm.test",
         "former_addresses": ["ann.law@firm.cjsm.test"]},
        {"user_id": "ben.law@avon", "address": "ben.law@avon.cjsm.test",
         "former_addresses": ["ben.law@firm.cjsm.test"]},
    ]  # fmt: skip
    assert (made["merged"], made["dry_run"], made["obstacles"]) == (True, False, [])
    assert made["sub_organisations"] == ["avon/clerks"]
    assert made["lists"] == [{"address": "all@avon.cjsm.test", "former_addresses": ["all@firm.cjsm.test"]}]
    assert made["shared_mailboxes"] == [{"address": "desk@avon.cjsm.test", "former_addresses": ["desk@firm.cjsm.test"]}]
    assert made["roles_ended"] == [{"user_id": "ben.law@avon", "role": "organisation-administrator"}]
    assert told(force("role", "list", "--user", "ben.law@avon", "--json")) == []
    members = told(force("list", "show", "outer@avon.cjsm.test", "--json"))["members"]
    assert sorted(members) == ["all@avon.cjsm.test", "cleo.law@firm.cjsm.test"]
    assert told(force("organisation", "show", "avon/firm", "--json"))["state"] == "deleted"
    before = len(entries(config))
    assert told(force("organisation", "merge", "firm", "avon", *REASON)) == made
    assert told(force("organisation", "merge", "avon/firm", "avon", *REASON))["people"] == made["people"]
    assert len(entries(config)) == before
    assert "unknown" not in force("audit", "list").output


def test_rehearsed(force: Run, config: Path) -> None:
    """The whole of it as it would be, and nothing is done; then just that is done."""
    before = len(entries(config))
    planned = told(force("organisation", "merge", "firm", "avon", "--dry-run", *REASON))
    assert planned["dry_run"]
    assert not planned["merged"]
    assert len(entries(config)) == before
    assert told(force("organisation", "show", "firm", "--json"))["state"] == "active"
    done = told(force("organisation", "merge", "firm", "avon", *REASON))
    assert planned | {"dry_run": False, "merged": True} == done


def test_what_keeps_it(force: Run, config: Path) -> None:
    """All of it at once, for programs and for people, before anything is begun; and it goes once that is cured."""
    told(force("list", "add", "avon", "all", "--name", "All of Avon", "--json"))
    told(force("organisation", "add", "avon/clerks", "--name", "Clerks", "--json"))
    told(force("role", "grant", "ann.law@firm", "helpdesk", "--organisation", "avon/crime", "--json"))
    before = len(entries(config))
    for more in ((), ("--dry-run",)):
        answer = force("organisation", "merge", "firm", "avon", *more, *REASON)
        assert answer.exit_code == 1
        document = json.loads(answer.stdout)
        cures = [each["cure"] for each in document["obstacles"]]
        assert not document["merged"]
        assert len(cures) == 3
        assert any("--rename firm/clerks=OTHER-NAME" in cure for cure in cures)
        assert any("--rename all@firm.cjsm.test=OTHER-NAME" in cure for cure in cures)
        assert "revoke it first: cjsm role revoke ann.law@firm helpdesk --organisation avon/crime" in cures
        said = force("organisation", "merge", "firm", "avon", "--reason", "other", *more)
        assert (said.exit_code, said.stdout) == (1, "")
        assert "3 things keep it" in said.stderr
    assert len(entries(config)) == before
    told(force("role", "revoke", "ann.law@firm", "helpdesk", "--organisation", "avon/crime", "--json"))
    names = ("--rename", "firm/clerks=firm-clerks", "--rename", "all@firm.cjsm.test=firm-all")
    made = told(force("organisation", "merge", "firm", "avon", *names, *REASON))
    assert made["sub_organisations"] == ["avon/firm-clerks"]
    assert made["lists"][0]["address"] == "firm-all@avon.cjsm.test"


def test_refused(force: Run) -> None:
    """With the cure, as every verb."""
    assert refused(force("organisation", "merge", "none", "avon", *REASON))["cure"]
    assert refused(force("organisation", "merge", "firm", "none", *REASON))["cure"]
    assert (
        "--rename all@" in refused(force("organisation", "merge", "firm", "avon", "--rename", "all", *REASON))["cure"]
    )
    assert force("organisation", "merge", "firm", "avon").exit_code == 2, "a reason is needed"


def test_said_to_people(force: Run) -> None:
    said = force("organisation", "merge", "firm", "avon", "--reason", "requested", "--dry-run").stdout
    assert "firm would be part of avon: nothing was changed" in said
    said = force("organisation", "merge", "firm", "avon", "--reason", "requested").stdout
    assert "firm is part of avon" in said
    assert "ann.law-2@avon" in said
    assert "cjsm role grant" in said
    assert "sub-organisations: avon/clerks" in said
