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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
def test_root_becomes_the_owner(config: Path) -> None:
    """What a command writes belongs to the service, whoever runs it."""
    home = config.parent
    for path in (home, *home.rglob("*")):
        os.chown(path, 65534, 65534)
    home.chmod(0o755)
    for above in home.parents:
        above.chmod(above.stat().st_mode | 0o011)
    done = subprocess.run(
        [Path(sys.executable).parent / "cjsm", "organisation", "add", "court", "--name", "Court", "--config", config],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path.stat().st_uid for path in (home / "data").rglob("*")} == {65534}


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
