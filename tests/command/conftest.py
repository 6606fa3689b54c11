"""A small community without a running service, made once for each test module and copied for each test."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cjsm.command.main import main

Run = Callable[..., Result]


def ran(*arguments: str, config: Path | None = None, typed: str = "") -> Result:
    """Run ``cjsm`` in this process."""
    environment = {"CJSM_CONFIG": str(config)} if config is not None else {}
    return CliRunner().invoke(main, list(arguments), input=typed, env=environment | {"COLUMNS": "200"})


def copied(made: Path, home: Path) -> Path:
    """Make the community at *made* one at *home* too, over what is there; return its settings file."""
    shutil.copytree(made, home, dirs_exist_ok=True)
    path = home / "cjsm.toml"
    path.write_text(path.read_text().replace(str(made), str(home)))
    return path


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("command") / "home"
    config = home / "cjsm.toml"
    initialised = ran(
        "init", "--suffix", "cjsm.test", "--host-name", "localhost", "--config", str(config),
        "--data-directory", str(home / "data"), "--secrets-directory", str(home / "secrets"),
    )  # fmt: skip
    assert initialised.exit_code == 0, initialised.output
    text = config.read_text()
    config.write_text(
        text.replace("bcrypt_cost = 12", "bcrypt_cost = 4").replace("argon2_memory = 47104", "argon2_memory = 8")
    )
    for path, name, more in (("avon", "Avon Police", ("--abbreviation", "avon")), ("avon/crime", "Crime", ())):
        added = ran("organisation", "add", path, "--name", name, *more, config=config)
        assert added.exit_code == 0, added.output
    return home


@pytest.fixture
def config(_made: Path, tmp_path: Path) -> Path:
    """The settings file of a community of one's own."""
    return copied(_made, tmp_path / "home")


@pytest.fixture
def cjsm(config: Path) -> Run:
    """Run ``cjsm`` on it."""

    def run(*arguments: str, typed: str = "") -> Result:
        return ran(*arguments, config=config, typed=typed)

    return run


def told(result: Result) -> Any:
    """The one JSON document of a command that succeeded."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refused(result: Result) -> dict[str, str]:
    """The one JSON document of a command that was refused."""
    assert result.exit_code == 1, result.output
    document: dict[str, str] = json.loads(result.stdout)
    assert set(document) == {"error", "cure"}
    return document
