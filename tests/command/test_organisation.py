"""``cjsm organisation``."""

from tests.command.conftest import Run, refused, told

RESUME, UNDELETE = "cjsm organisation resume avon", "cjsm organisation undelete avon/crime"


def test_added_and_shown(cjsm: Run) -> None:
    """By its path, in any case of letters."""
    made = told(cjsm("organisation", "add", "Avon/Traffic", "--name", "Traffic", "--area", "West", "--json"))
    assert (made["path"], made["name"], made["area"]) == ("avon/traffic", "Traffic", "West")
    assert told(cjsm("organisation", "show", "avon/traffic", "--json")) == made
    assert [each["path"] for each in told(cjsm("organisation", "list", "--json"))] == [
        "avon",
        "avon/crime",
        "avon/traffic",
    ]
    assert "Traffic" in cjsm("organisation", "list").stdout
    assert "Traffic" in cjsm("organisation", "show", "avon/traffic").stdout


def test_options(cjsm: Run) -> None:
    """Recovery, protection, business type."""
    made = told(
        cjsm(
            *("organisation", "add", "refuge", "--name", "Refuge", "--abbreviation", "ref", "--recovery", "none"),
            *("--protected", "--business-type", "Support", "--json"),
        )
    )
    assert (made["recovery"], made["protected"], made["abbreviation"]) == ("none", True, "ref")


def test_refused(cjsm: Run) -> None:
    """Unknown, taken, misspelt: each with the cure."""
    assert "organisation list" in refused(cjsm("organisation", "show", "avon/none", "--json"))["cure"]
    assert refused(cjsm("organisation", "add", "avon/crime", "--name", "Again", "--json"))["cure"]
    assert refused(cjsm("organisation", "add", "other", "--name", "O", "--abbreviation", "avon", "--json"))["error"]
    assert refused(cjsm("organisation", "add", "no/such/path", "--name", "X", "--json"))["error"]
    assert refused(cjsm("organisation", "add", "avon/b_d", "--name", "X", "--json"))["cure"]
    assert "--abbreviation" in refused(cjsm("organisation", "add", "top", "--name", "X", "--json"))["cure"]
    said = cjsm("organisation", "show", "none")
    assert (said.exit_code, said.stdout) == (1, "")
    assert "cure:" in said.stderr


def test_names_are_shown_as_they_are(cjsm: Run) -> None:
    """Brackets in them mean nothing."""
    name = "Fraud [/b] [red]Unit"
    told(cjsm("organisation", "add", "avon/fraud", "--name", name, "--json"))
    assert name in cjsm("organisation", "list").stdout
    assert name in cjsm("organisation", "show", "avon/fraud").stdout


def test_change(cjsm: Run) -> None:
    """What is given; a choice of recovery too."""
    made = told(cjsm("organisation", "change", "avon/crime", "--name", "Serious Crime", "--recovery", "none", "--json"))
    assert (made["name"], made["recovery"], made["path"]) == ("Serious Crime", "none", "avon/crime")
    made = told(cjsm("organisation", "change", "avon/crime", "--abbreviation", "Crime", "--protected", "--json"))
    assert (made["abbreviation"], made["protected"]) == ("crime", True)
    assert refused(cjsm("organisation", "change", "avon/crime", "--abbreviation", "other", "--json"))["error"]
    assert "--help" in refused(cjsm("organisation", "change", "avon/crime", "--json"))["cure"]
    assert "Serious" in cjsm("organisation", "change", "avon/crime", "--listed", "--not-protected").stdout


def test_states(cjsm: Run) -> None:
    """Suspended with all below it, resumed, deleted while empty, and had back."""
    made = told(cjsm("organisation", "suspend", "avon", "--reason", "terms", "--json"))
    assert (made["state"], made["reason"]) == ("suspended", "terms")
    below = told(cjsm("organisation", "show", "avon/crime", "--json"))
    assert (below["state"], below["state_in_force"]) == ("active", "suspended")
    assert refused(cjsm("organisation", "undelete", "avon", "--json"))["cure"] == RESUME
    add = ("user", "add", "avon/crime", "--first", "Jane", "--last", "Smith", "--json")
    assert refused(cjsm(*add)) == {"error": "avon is suspended", "cure": f"let it work first: {RESUME}"}
    assert told(cjsm("organisation", "resume", "avon", "--json"))["state"] == "active"
    assert "crime" in refused(cjsm("organisation", "delete", "avon", "--reason", "other", "--json"))["error"]
    assert told(cjsm("organisation", "delete", "avon/crime", "--reason", "other", "--json"))["state"] == "deleted"
    for words in (("resume",), ("suspend", "--reason", "terms"), ("delete", "--reason", "other")):
        answer = refused(cjsm("organisation", words[0], "avon/crime", *words[1:], "--json"))
        assert answer == {"error": "the organisation is deleted", "cure": UNDELETE}
    for words in (
        ("user", "add", "avon/crime", "--first", "Jane", "--last", "Smith"),
        ("organisation", "add", "avon/crime/fraud", "--name", "Fraud"),
        ("list", "add", "avon/crime", "news", "--name", "News"),
    ):
        assert refused(cjsm(*words, "--json")) == {
            "error": "avon/crime is deleted",
            "cure": f"let it work first: {UNDELETE}",
        }
    assert told(cjsm("organisation", "undelete", "avon/crime", "--json"))["state"] == "active"
