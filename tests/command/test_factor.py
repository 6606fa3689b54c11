"""``cjsm factor`` and ``cjsm user recovery-codes``."""

import time
from typing import Any

import pyotp
import pytest
from click.testing import Result

from tests.command.conftest import Run, refused, told
from tests.command.test_device import make, ready
from tests.command.test_user import PASSWORD

JANE = "jane.smith@avon"
OTHER = f"{PASSWORD} again"


def begin(cjsm: Run) -> pyotp.TOTP:
    """What Jane has on the telephone, not in force yet."""
    made = told(cjsm("factor", "add", JANE, "--password-stdin", "--json", typed=f"{PASSWORD}\n"))
    assert made["secret"].replace(" ", "") in made["address"]
    one = pyotp.parse_uri(made["address"])
    assert isinstance(one, pyotp.TOTP)
    return one


def turned_on(cjsm: Run) -> tuple[pyotp.TOTP, list[str]]:
    """The same, in force, and the recovery codes."""
    one = begin(cjsm)
    typed = f"{PASSWORD}\n{one.now()}\n"
    codes = told(cjsm("factor", "confirm", JANE, "--password-stdin", "--json", typed=typed))["recovery_codes"]
    return one, codes


def later(one: pyotp.TOTP) -> str:
    """A code that was not used yet, which is good half a minute early."""
    return one.at(int(time.time()) + 30)


def shown(cjsm: Run) -> Any:
    """Jane, as she is shown."""
    return told(cjsm("user", "show", JANE, "--json"))


def set_password(cjsm: Run, *lines: str) -> Result:
    """Let Jane choose."""
    return cjsm(
        "user", "set-password", JANE, "--password-stdin", "--json", typed="".join(f"{line}\n" for line in lines)
    )


def test_begun_confirmed_and_asked_for(cjsm: Run) -> None:
    """A wrong code confirms nothing; once in force, choosing a password and making a device want a code too."""
    ready(cjsm)
    one = begin(cjsm)
    wrong = f"{PASSWORD}\n000000\n"
    assert (
        "recovery code" in refused(cjsm("factor", "confirm", JANE, "--password-stdin", "--json", typed=wrong))["cure"]
    )
    assert shown(cjsm)["second_factor"] is None
    code = one.now()
    confirmed = told(cjsm("factor", "confirm", JANE, "--password-stdin", "--json", typed=f"{PASSWORD}\n{code}\n"))
    assert len(confirmed["recovery_codes"]) == shown(cjsm)["recovery_codes"] == 10
    assert shown(cjsm)["second_factor"]
    assert "no line for" in refused(set_password(cjsm, PASSWORD, OTHER))["error"]
    assert refused(make(cjsm, typed=f"{PASSWORD}\n{code}\n"))["error"]
    told(make(cjsm, typed=f"{PASSWORD}\n{later(one)}\n"))
    told(set_password(cjsm, PASSWORD, OTHER, confirmed["recovery_codes"][0]))
    assert shown(cjsm)["recovery_codes"] == 9
    assert refused(cjsm("factor", "add", JANE, "--password-stdin", "--json", typed=f"{OTHER}\n"))["cure"]


@pytest.mark.parametrize("with_recovery_code", [False, True])
def test_removed(cjsm: Run, with_recovery_code: bool) -> None:
    """By the person, with a code or a recovery code."""
    ready(cjsm)
    one, codes = turned_on(cjsm)
    remove = ("factor", "remove", JANE, "--password-stdin", "--json")
    assert refused(cjsm(*remove, typed=f"{PASSWORD}\n123\n"))["error"]
    told(cjsm(*remove, typed=f"{PASSWORD}\n{codes[0] if with_recovery_code else later(one)}\n"))
    assert shown(cjsm)["second_factor"] is None
    told(set_password(cjsm, PASSWORD, OTHER))


def test_lost(cjsm: Run) -> None:
    """Taken away by somebody else, who needs a reason and no password."""
    ready(cjsm)
    turned_on(cjsm)
    assert "--reason" in refused(cjsm("factor", "remove", JANE, "--lost", "--json"))["cure"]
    told(cjsm("factor", "remove", JANE, "--lost", "--reason", "telephone lost", "--json"))
    assert shown(cjsm)["second_factor"] is None
    told(set_password(cjsm, PASSWORD, OTHER))


def test_recovery_codes(cjsm: Run) -> None:
    """For a lost password, without a second factor too; each is good once, new ones void the old."""
    ready(cjsm)
    again = ("user", "recovery-codes", JANE, "--password-stdin", "--json")
    old = told(cjsm(*again, typed=f"{PASSWORD}\n"))["recovery_codes"]
    new = told(cjsm(*again, typed=f"{PASSWORD}\n"))["recovery_codes"]
    assert refused(set_password(cjsm, old[0], OTHER))["error"]
    told(set_password(cjsm, new[0], OTHER))
    assert refused(set_password(cjsm, new[0], PASSWORD))["error"]
    assert refused(cjsm(*again, typed=f"{PASSWORD}\n"))["cure"]
    assert shown(cjsm)["recovery_codes"] == 9


def test_for_people(cjsm: Run) -> None:
    """What is shown once is shown, with what to do next; what is typed is not."""
    ready(cjsm)
    begun = cjsm("factor", "add", JANE, typed=f"{PASSWORD}\n")
    assert begun.exit_code == 0, begun.output
    address = next(word for word in begun.stdout.split() if word.startswith("otpauth://"))
    one = pyotp.parse_uri(address)
    assert isinstance(one, pyotp.TOTP)
    assert "cjsm factor confirm" in begun.stdout
    confirmed = cjsm("factor", "confirm", JANE, typed=f"{PASSWORD}\n{one.now()}\n")
    assert confirmed.stdout.count("\n  r-") == 10
    assert "cjsm device add" in confirmed.stdout
    assert PASSWORD not in begun.output + confirmed.output
    assert "no second factor" in cjsm("factor", "remove", JANE, "--lost", "--reason", "lost").stdout
    assert "second factor" in cjsm("user", "show", JANE).stdout
