"""Which settings, as whom."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from twisted.internet.defer import fail, succeed

from cjsm.command.context import wait
from tests.command.conftest import Run, ran, refused


def test_missing_settings(tmp_path: Path) -> None:
    """The cure is to make them."""
    document = refused(ran("status", "--json", "--config", str(tmp_path / "none.toml")))
    assert "cjsm init" in document["cure"]


def test_no_community_yet(tmp_path: Path) -> None:
    """A settings file alone is none."""
    config = tmp_path / "cjsm.toml"
    config.write_text(f'[store]\ndata_directory = "{tmp_path}/data"\n')
    assert "cjsm init" in refused(ran("user", "list", "--json", config=config))["cure"]


_BECOME = """
import os, sys
from pathlib import Path
from cjsm.command.context import become_owner
become_owner(Path(sys.argv[1]))
os.close(os.open(Path(sys.argv[1]) / "made", os.O_CREAT | os.O_WRONLY))
print(os.getuid(), os.getgid(), os.getgroups())
"""


def test_whoever_may_becomes_the_owner(tmp_path: Path) -> None:
    """What a command writes belongs to the service, whoever runs it; who is not root stays who they are."""
    directory = tmp_path / "data"
    directory.mkdir()
    owner = 65534 if os.geteuid() == 0 else os.geteuid()
    if os.geteuid() == 0:
        os.chown(directory, owner, owner)
        for above in directory.parents:
            above.chmod(above.stat().st_mode | 0o011)
    done = subprocess.run([sys.executable, "-c", _BECOME, directory], capture_output=True, text=True, timeout=60)
    assert done.stdout.split()[0] == str(owner), done.stderr
    assert (directory / "made").stat().st_uid == owner


def test_environment(cjsm: Run) -> None:
    """CJSM_CONFIG names the settings."""
    assert cjsm("user", "list").exit_code == 0


def test_wait() -> None:
    """A command's stores answer at once."""
    assert wait(succeed(5)) == 5
    with pytest.raises(ZeroDivisionError):
        wait(fail(ZeroDivisionError()))

    async def work() -> int:
        return await succeed(7)

    assert wait(work()) == 7
