"""``cjsm policy``."""

import pytest

from tests.command.conftest import Run, refused, told

JANE = "jane.smith@avon.cjsm.test"


@pytest.fixture
def people(cjsm: Run) -> Run:
    """Jane, and a connection that is live."""
    told(cjsm("user", "add", "avon", "--first", "Jane", "--last", "Smith", "--json"))
    told(
        cjsm(
            *(
                "connection",
                "add",
                "force",
                "avon",
                "--kind",
                "server",
                "--name",
                "Force",
                "--next-hop",
                "m.force.example",
            ),
            *("--certificate-name", "m.force.example", "--json"),
        )
    )
    told(cjsm("connection", "domain", "add", "force", "force.example", "--json"))
    told(cjsm("connection", "live", "force", "--json"))
    return cjsm


def test_explained(people: Run) -> None:
    """Verdict, code, text, route and each rule in plain words."""
    command = ("policy", "explain", "--from", JANE, "--to")
    made = told(people(*command, "jo@force.example.cjsm.test", "--json"))
    assert (made["accepted"], made["code"], made["origin"]) == (True, 250, "account jane.smith@avon")
    assert made["route"]["next_hops"] == ["m.force.example:25"]
    assert [rule["rule"] for rule in made["rules"]] == ["origin-account", "sender-own", "recipient-connected"]
    assert all(rule["says"].endswith(".") for rule in made["rules"])
    made = told(people(*command, "jo@example.org", "--json"))
    assert (made["accepted"], made["code"], made["route"]) == (False, 550, None)
    assert "outside" in made["text"]
    said = people(*command, "jo@example.org").stdout
    assert "refused 550 5.7.1" in said
    assert "nothing leaves it" in said
    assert "accepted 250" in people(*command, "jo@force.example.cjsm.test").stdout


def test_as(people: Run) -> None:
    """An account, a connection, the service; named or found by the sender."""
    command = ("policy", "explain", "--to", JANE, "--json", "--from")
    assert told(people(*command, "jo@force.example", "--as", "connection", "force"))["origin"] == "connection force"
    assert told(people(*command, "jo@force.example"))["from"] == "jo@force.example.cjsm.test"
    assert told(people(*command, "<>", "--as", "service", "dsn"))["accepted"]
    assert not told(people(*command, "jo@force.example", "--as", "account", "jane.smith@avon"))["accepted"]
    assert told(people(*command, "jo@example.org"))["code"] == 530
    assert refused(people(*command, JANE, "--as", "connection", "none"))["cure"]
    assert people(*command, JANE, "force").exit_code == 2
    assert people(*command, JANE, "--as", "somebody").exit_code == 2


def test_matrix(people: Run) -> None:
    """All classes against all; the same for people, with refusals on request."""
    made = told(people("policy", "matrix", "--json"))
    cells = {(cell["origin"], cell["recipient"]): cell for cell in made["cells"]}
    assert len(cells) == len(made["origins"]) * len(made["recipients"])
    assert cells["server connection, live", "hosted account, New User"]["answer"] == "yes"
    assert cells["hosted account, New User", "address outside"]["examples"][0]["rules"][-1] == "recipient-outside"
    said = people("policy", "matrix").stdout
    assert "server connection, live" in said
    assert "echo-of-service" not in said
    assert "echo-of-service" in people("policy", "matrix", "--why").stdout


def test_matrix_in_parts(people: Run) -> None:
    """One organisation, or a few accounts."""
    crime = told(people("policy", "matrix", "--organisation", "avon/crime", "--json"))
    assert not any("account" in each["class"] for each in crime["origins"])
    assert told(people("policy", "matrix", "--limit", "1", "--json"))["origins"][0]["count"] == 1
    assert refused(people("policy", "matrix", "--organisation", "none", "--json"))["cure"]
