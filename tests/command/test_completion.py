"""The shell completes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command.conftest import ran

CJSM = Path(sys.executable).parent / "cjsm"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script(shell: str) -> None:
    """For each shell, and nothing else is said."""
    script = ran("completion", shell)
    assert script.exit_code == 0
    assert "_CJSM_COMPLETE" in script.stdout
    assert "%(" not in script.stdout


@pytest.mark.parametrize(
    ("typed", "found"),
    [("cjsm org", "organisation"), ("cjsm organisation su", "suspend"), ("cjsm list join --dr", "--dry-run")],
)
def test_bash(typed: str, found: str) -> None:
    """As bash asks."""
    words = typed.split()
    asked = {"_CJSM_COMPLETE": "bash_complete", "COMP_WORDS": typed, "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run([CJSM], capture_output=True, text=True, timeout=60, env=os.environ | asked)
    assert f"plain,{found}" in done.stdout.splitlines()


def test_bash_reads_it() -> None:
    """It is a script."""
    done = subprocess.run(["bash", "-n"], input=ran("completion", "bash").stdout, text=True, timeout=60)
    assert done.returncode == 0
