"""The lines that the demonstration prints work when they are pasted."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.running import Community

pytestmark = pytest.mark.interop

RECIPES = {
    "Send with curl": ("curl", "", ""),
    "Send with swaks": ("swaks", "", "250 2.0.0 accepted as"),
    "Read with curl": ("curl", "", "Subject:"),
    "Speak POP3 yourself": ("openssl", "CAPA\nQUIT\n", "SASL PLAIN"),
    "Search the directory": ("ldapsearch", "", "mail: jane.smith@avon.cjsm.test"),
}


@pytest.fixture(scope="module")
def printed(community: Community) -> dict[str, str]:
    """Line by title."""
    command = [Path(sys.executable).parent / "cjsm", "demo", "--directory", community.directory, "--detach"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    return {title: lines[lines.index(title) + 1] for title in RECIPES}


@pytest.mark.parametrize("title", RECIPES)
def test_pasted(printed: dict[str, str], program: Callable[[str], str], title: str) -> None:
    """Into a plain shell, whatever stands in the terminal's width."""
    name, typed, expected = RECIPES[title]
    program(name)
    done = subprocess.run(
        ["/bin/sh", "-c", printed[title]],
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert expected in done.stdout
