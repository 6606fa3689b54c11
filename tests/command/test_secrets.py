"""Secrets are typed, or read line by line."""

import os
import subprocess
import sys
from pathlib import Path

from tests.command.conftest import Run
from tests.command.test_user import add
from tests.running import Community


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


def test_no_terminal(community: Community) -> None:
    """Nothing is typed where everybody could read it: the way for programs is named."""
    command = [Path(sys.executable).parent / "cjsm", "user", "set-password", "jane.smith@avon"]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        env=os.environ | {"CJSM_CONFIG": community.config},
    )
    assert done.returncode == 1
    assert "--password-stdin" in done.stderr
    assert "Warning" not in done.stderr
