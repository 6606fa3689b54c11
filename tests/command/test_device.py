"""``cjsm device``."""

from click.testing import Result

from tests.command.conftest import Run, refused, told
from tests.command.test_user import PASSWORD, add


def ready(cjsm: Run) -> None:
    """Jane, with a password."""
    one_time = add(cjsm)["one_time_password"]
    told(
        cjsm("user", "set-password", "jane.smith@avon", "--password-stdin", "--json", typed=f"{one_time}\n{PASSWORD}\n")
    )


def make(cjsm: Run, *more: str, name: str = "phone", typed: str = f"{PASSWORD}\n") -> Result:
    """Ask for a device password."""
    return cjsm("device", "add", "jane.smith@avon", name, "--password-stdin", "--json", *more, typed=typed)


def test_made_listed_revoked(cjsm: Run) -> None:
    """Shown once; revoked by its name."""
    ready(cjsm)
    made = told(make(cjsm, "--protocol", "pop3", "--protocol", "smtp", "--days", "30"))
    secret = next(value for value in made.values() if str(value).startswith("d-"))
    (listed,) = told(cjsm("device", "list", "jane.smith@avon", "--json"))
    assert (listed["name"], sorted(listed["protocols"]), listed["last_used"]) == ("phone", ["pop3", "smtp"], None)
    assert listed["ends"] > listed["made"]
    assert secret not in str(listed)
    assert "phone" in cjsm("device", "list", "jane.smith@avon").stdout
    told(cjsm("device", "revoke", "jane.smith@avon", "phone", "--json"))
    assert told(cjsm("device", "list", "jane.smith@avon", "--json")) == []


def test_refused(cjsm: Run) -> None:
    """Wrong password, a name twice, a protocol that there is not, one that was never made."""
    ready(cjsm)
    assert refused(make(cjsm, typed="wrong\n"))["cure"]
    told(make(cjsm))
    assert "revoke" in refused(make(cjsm))["cure"]
    assert make(cjsm, "--protocol", "imap").exit_code == 2
    assert "device list" in refused(cjsm("device", "revoke", "jane.smith@avon", "none", "--json"))["cure"]


def test_no_device_password_makes_another(cjsm: Run) -> None:
    """What one program knows is for that program: only the person's own password gives another."""
    ready(cjsm)
    made = told(make(cjsm))
    secret = next(value for value in made.values() if str(value).startswith("d-"))
    assert "not accepted" in refused(make(cjsm, name="tablet", typed=f"{secret}\n"))["error"]
    assert [each["name"] for each in told(cjsm("device", "list", "jane.smith@avon", "--json"))] == ["phone"]
