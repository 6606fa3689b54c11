"""``cjsm connection``: adding, editing, looking, states, domains."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.command.conftest import Run, refused, told

PIN = "ab" * 32


def added(cjsm: Run, *more: str, name: str = "force") -> Any:
    """A connection of the police."""
    return told(
        cjsm(
            *("connection", "add", name, "avon", "--kind", "server", "--name", "Force mail"),
            *("--next-hop", "mail.force.example:2525", *more, "--json"),
        )
    )


def live(cjsm: Run) -> None:
    """One that has what it needs."""
    added(cjsm, "--certificate-name", "mail.force.example")
    told(cjsm("connection", "domain", "add", "force", "force.example", "--json"))
    assert told(cjsm("connection", "live", "force", "--json"))["state"] == "live"


def test_added_and_shown(cjsm: Run) -> None:
    """With every value, in the form it is kept in."""
    made = added(
        cjsm,
        *("--next-hop", "[2001:DB8::1]:25", "--next-hop", "MX2.force.example", "--network", "192.0.2.0/24"),
        *("--certificate-name", "mail.force.example", "--tls-name", "mail.force.example", "--tls-trust", "public"),
        *("--tls-minimum", "1.3", "--tls-pin", PIN.upper(), "--limit", "concurrency=7", "--limit", "give-up=7200"),
        *("--contact", "Erin, 0117 496 0003"),
    )
    assert made["next_hops"] == ["mail.force.example:2525", "[2001:db8::1]:25", "mx2.force.example:25"]
    assert made["tls"] == {"minimum": "1.3", "name": "mail.force.example", "trust": "public", "pins": [PIN]}
    assert made["limits"] == {"concurrency": 7, "give_up": 7200}
    assert (made["connection"], made["state"], made["organisation"]) == ("force", "testing", "avon")
    assert made["missing"] == ["an approved domain"]
    assert told(cjsm("connection", "show", "FORCE", "--json")) == made
    assert made.pop("last_test") is None
    assert told(cjsm("connection", "list", "--json")) == [made]
    assert told(cjsm("connection", "list", "--state", "live", "--json")) == []
    assert told(cjsm("connection", "list", "--organisation", "avon/crime", "--json")) == []
    assert "an approved domain" in cjsm("connection", "show", "force").stdout
    assert "force" in cjsm("connection", "list").stdout
    assert "no connections" in cjsm("connection", "list", "--state", "live").stdout


def test_cloud(cjsm: Run) -> None:
    """A provider and a tenant; no certificate."""
    command = ("connection", "add", "cloud", "avon", "--kind", "cloud", "--name", "Cloud")
    made = told(cjsm(*command, "--provider", "some-cloud", "--tenant", "0f1e", "--json"))
    assert (made["provider"], made["tenant"]) == ("some-cloud", "0f1e")
    assert made["missing"] == ["an approved domain", "a next hop"]
    assert "provider" in refused(cjsm("connection", "certificate", "issue", "cloud", "--json"))["error"]


def test_edited(cjsm: Run) -> None:
    """What is given changes; what is cleared is gone; the rest stays."""
    added(cjsm, "--limit", "concurrency=7", "--limit", "give-up=7200", "--network", "192.0.2.0/24", "--tls-pin", PIN)
    made = told(
        cjsm(
            *("connection", "edit", "force", "--rename", "police", "--name", "Police mail", "--limit", "concurrency="),
            *("--limit", "messages-per-minute=60", "--clear", "networks", "--contact", "Erin", "--json"),
        )
    )
    assert (made["connection"], made["name"], made["contact"]) == ("police", "Police mail", "Erin")
    assert made["networks"] == []
    assert made["limits"] == {"messages_per_minute": 60, "give_up": 7200}
    assert made["tls"]["pins"] == [PIN]
    cleared = told(
        cjsm("connection", "edit", "police", "--clear", "limits", "--clear", "contact", "--clear", "tls-pins", "--json")
    )
    assert (cleared["limits"], cleared["contact"], cleared["tls"]["pins"]) == ({}, "", [])
    assert refused(cjsm("connection", "edit", "police", "--json"))["cure"]
    assert refused(cjsm("connection", "show", "force", "--json"))["cure"]


@pytest.mark.parametrize(
    "option",
    [
        ("--next-hop", "mail.force.example:99999"),
        ("--next-hop", "mail.force.example:smtp"),
        ("--limit", "speed=5"),
        ("--limit", "concurrency"),
        ("--limit", "concurrency=many"),
        ("--tls-minimum", "1.1"),
    ],
    ids=" ".join,
)
def test_options_that_are_no_such(cjsm: Run, option: tuple[str, str]) -> None:
    """Said before anything is written."""
    result = cjsm("connection", "add", "force", "avon", "--kind", "server", "--name", "F", *option, "--json")
    assert result.exit_code in (1, 2)
    assert told(cjsm("connection", "list", "--json")) == []


def test_refused(cjsm: Run) -> None:
    """Taken, unknown, not complete: each with the cure."""
    added(cjsm)
    command = ("connection", "add", "force", "avon", "--kind", "server", "--name", "F", "--json")
    assert refused(cjsm(*command))["cure"]
    assert refused(cjsm("connection", "add", "other", "none", "--kind", "server", "--name", "F", "--json"))["cure"]
    assert "domain" in refused(cjsm("connection", "live", "force", "--json"))["error"]
    assert "connection list" in refused(cjsm("connection", "live", "none", "--json"))["cure"]
    assert refused(cjsm("connection", "edit", "force", "--network", "192.0.2.1/24", "--json"))["cure"]


def test_states(cjsm: Run) -> None:
    """Live, suspended with a reason, back."""
    live(cjsm)
    assert cjsm("connection", "suspend", "force").exit_code == 2
    made = told(cjsm("connection", "suspend", "force", "--reason", "key lost", "--json"))
    assert (made["state"], made["state_reason"]) == ("suspended", "key lost")
    assert told(cjsm("connection", "resume", "force", "--testing", "--json"))["state"] == "testing"
    told(cjsm("connection", "suspend", "force", "--reason", "again", "--json"))
    assert told(cjsm("connection", "resume", "force", "--json"))["state"] == "live"
    assert "already" in refused(cjsm("connection", "live", "force", "--json"))["error"]


def test_domains(cjsm: Run) -> None:
    """Approved, suspended, resumed, with an exception, removed."""
    live(cjsm)
    command = ("connection", "domain")
    made = told(
        cjsm(
            *command, "add", "force", "Crime.example", "--organisation", "avon/crime", "--listed-members-only", "--json"
        )
    )
    assert {domain["name"] for domain in made["domains"]} == {"force.example.cjsm.test", "crime.example.cjsm.test"}
    shown = told(cjsm(*command, "show", "crime.example", "--json"))
    assert (shown["organisation"], shown["connection"], shown["listed_members_only"]) == ("avon/crime", "force", True)
    assert told(cjsm(*command, "suspend", "crime.example", "--reason", "x", "--json"))["state"] == "suspended"
    assert told(cjsm(*command, "resume", "crime.example.cjsm.test", "--json"))["state"] == "approved"
    pair = ("jo@crime.example.cjsm.test", "jo@mail.crime.example")
    made = told(cjsm(*command, "exception", *pair, "--json"))
    assert made["exceptions"] == [dict(zip(("address", "outside"), pair, strict=True))]
    assert pair[1] in cjsm(*command, "show", "crime.example").stdout
    assert told(cjsm(*command, "exception", pair[0], "--remove", "--json"))["exceptions"] == []
    assert refused(cjsm(*command, "exception", pair[0], "--remove", "--json"))["cure"]
    assert cjsm(*command, "exception", pair[0]).exit_code == 2
    assert cjsm(*command, "exception", *pair, "--remove").exit_code == 2
    left = told(cjsm(*command, "remove", "crime.example", "--json"))
    assert [domain["name"] for domain in left["domains"]] == ["force.example.cjsm.test"]
    for verb in ("remove", "show", "resume"):
        assert "connection list" in refused(cjsm(*command, verb, "crime.example", "--json"))["cure"]
    assert "suspend the connection" in refused(cjsm(*command, "remove", "force.example", "--json"))["cure"]


def test_members(cjsm: Run) -> None:
    """With a domain there can be relayed members, and then it cannot go."""
    live(cjsm)
    told(
        cjsm(
            "user", "add", "avon", "--first", "Jo", "--last", "Law", "--address", "jo@force.example.cjsm.test", "--json"
        )
    )
    told(cjsm("connection", "suspend", "force", "--reason", "x", "--json"))
    assert "jo@force.example" in refused(cjsm("connection", "domain", "remove", "force.example", "--json"))["error"]


def test_dns(cjsm: Run, config: Path) -> None:
    """Everything to publish."""
    live(cjsm)
    config.write_text(config.read_text().replace('host_name = "localhost"', 'host_name = "relay.cjsm.test"'))
    made = told(cjsm("connection", "dns", "--json"))
    names = {record["name"] for record in made["records"]}
    assert {"cjsm.test", "avon.cjsm.test", "force.example.cjsm.test", "_dmarc.cjsm.test"} <= names
    assert {"rsa1._domainkey.cjsm.test", "ed1._domainkey.cjsm.test"} <= names
    assert "mx: relay.cjsm.test" in made["mta_sts_policy"]
    assert made["notes"] == []
    one = told(cjsm("connection", "dns", "--domain", "force.example", "--reports", "r@example.org", "--json"))
    assert {record["name"].split(".", 1)[-1] for record in one["records"]} >= {"force.example.cjsm.test"}
    assert any("mailto:r@example.org" in record["value"] for record in one["records"])
    said = cjsm("connection", "dns").stdout
    assert 'cjsm.test. IN TXT "v=spf1 a:relay.cjsm.test -all"' in said
    assert refused(cjsm("connection", "dns", "--domain", "other.example", "--json"))["cure"]
    assert "relay.host_name" in refused(cjsm("connection", "dns", "--host", "localhost", "--json"))["cure"]


def test_dns_without_keys(cjsm: Run, config: Path) -> None:
    """A community that was made before there were any is told so."""
    for key in Path(str(tomllib.loads(config.read_text())["store"]["secrets_directory"])).glob("dkim-*"):
        key.unlink()
    made = told(cjsm("connection", "dns", "--host", "relay.cjsm.test", "--json"))
    assert "there are no DKIM keys" in made["notes"][0]
