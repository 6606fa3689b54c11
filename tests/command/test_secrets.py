"""Secrets are typed, or read line by line."""

from tests.command.conftest import Run
from tests.command.test_user import add


def test_too_few_lines(cjsm: Run) -> None:
    """Half the input is a refusal, not an empty password."""
    one_time = add(cjsm)["one_time_password"]
    said = cjsm("user", "set-password", "jane.smith@avon", "--password-stdin", typed=f"{one_time}\n")
    assert said.exit_code in (1, 2)
    assert "Traceback" not in said.output


def test_two_different(cjsm: Run) -> None:
    """The new one is asked for twice."""
    one_time = add(cjsm)["one_time_password"]
    said = cjsm("user", "set-password", "jane.smith@avon", typed=f"{one_time}\nfirst one here\nsecond one here\n")
    assert said.exit_code != 0
