"""What twistd finds."""

from pathlib import Path

import pytest
from twisted.application.service import IServiceMaker
from twisted.plugin import IPlugin, getPlugins
from zope.interface.verify import verifyObject

from cjsm.command.initialise import initialise
from cjsm.plugin import EVERYTHING, Maker
from cjsm.service import CjsmService

FOUND = {maker.tapname: maker for maker in getPlugins(IServiceMaker) if isinstance(maker, Maker)}


def test_parts() -> None:
    """Everything in one, and one for each part."""
    assert set(FOUND) == {"cjsm", *(f"cjsm-{part}" for part in EVERYTHING)}
    for maker in FOUND.values():
        assert verifyObject(IServiceMaker, maker)
        assert verifyObject(IPlugin, maker)
        assert maker.description.endswith(".")


def test_options() -> None:
    """The settings file, by option."""
    options = FOUND["cjsm"].options()
    options.parseOptions(["--config", "/tmp/x.toml"])
    assert options["config"] == "/tmp/x.toml"


def test_nothing_is_opened_before_the_start(tmp_path: Path) -> None:
    """twistd makes the service before it gives up root: stores and ports come later."""
    config = tmp_path / "cjsm.toml"
    values = {
        "store.data_directory": str(tmp_path / "data"),
        "store.secrets_directory": str(tmp_path / "secrets"),
        "tls.certificate": str(tmp_path / "server.pem"),
        "tls.key": str(tmp_path / "server.key"),
        "tls.authority": str(tmp_path / "authority.pem"),
    }
    initialise(config, values, ("localhost",))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*")}
    options = FOUND["cjsm"].options()
    options.parseOptions(["--config", str(config)])
    service = FOUND["cjsm"].makeService(options)
    assert isinstance(service, CjsmService)
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*")}
    assert {path for path in after if path.suffix} == {path for path in before if path.suffix}


def test_bad_settings() -> None:
    """End the process, not with a traceback."""
    options = FOUND["cjsm"].options()
    options.parseOptions(["--config", "/nowhere/cjsm.toml"])
    with pytest.raises(SystemExit) as ended:
        FOUND["cjsm"].makeService(options)
    assert ended.value.code == 1
