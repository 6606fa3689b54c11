"""Settings: one file that explains all of them, kept equal to the code."""

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cjsm import configuration, resources
from cjsm.configuration import ConfigurationError, Settings

FILE = resources.etc("cjsm.toml").read_text(encoding="utf-8")


def defaults() -> dict[str, dict[str, Any]]:
    """What the code says, as plain values."""
    found: dict[str, dict[str, Any]] = msgspec.json.decode(msgspec.json.encode(Settings()))
    return found


def test_file_and_code_are_equal() -> None:
    """Every setting of the code stands in the file with its default, and nothing else does."""
    assert tomllib.loads(FILE) == defaults()
    assert configuration.parse(FILE) == Settings() == configuration.parse("")


def test_every_setting_is_explained() -> None:
    """A comment stands before each group of lines."""
    explained = False
    for line in FILE.splitlines():
        if line.startswith("#"):
            explained = True
        elif re.match(r"\w+ = ", line):
            assert explained, line
        else:
            explained = False


def test_every_number_has_bounds() -> None:
    """No length, count or time can be set below nothing."""
    for section, values in defaults().items():
        for name, value in values.items():
            if isinstance(value, int) and not isinstance(value, bool):
                with pytest.raises(ConfigurationError) as refused:
                    configuration.parse(f"[{section}]\n{name} = -1\n")
                assert section in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said", "cure"),
    [
        ("[smtp]\nhots_name = 'x'\n", "unknown setting smtp.hots_name", "did you mean smtp.host_name?"),
        ("[smpt]\n", "unknown setting smpt", "did you mean smtp?"),
        ("[store]\ndisk_floor = 'much'\n", "disk_floor", "etc/cjsm.toml"),
        ("[access]\nbcrypt_cost = 3\n", "bcrypt_cost", "etc/cjsm.toml"),
        ("[access\n", "not valid TOML", "correct that line"),
        ("store = 5\n", "store", "etc/cjsm.toml"),
        ("[trace]\nidentities = 'none'\n", "identities", "etc/cjsm.toml"),
        ("[connections]\nlisted_networks = ['here']\n", "connections.listed_networks", "192.0.2.0/24"),
        ("[connections]\nproxy_networks = ['10.0.0.5/8']\n", "connections.proxy_networks", "192.0.2.7/32"),
        ("[access]\ninactive_suspended = 150\n", "no time after the warning at 150 days", "or 0"),
    ],
)
def test_mistakes(text: str, said: str, cure: str) -> None:
    """Named, with what to do."""
    with pytest.raises(ConfigurationError) as refused:
        configuration.parse(text)
    assert said in str(refused.value)
    assert cure in refused.value.cure


def test_never_suspended() -> None:
    """Nor warned: 0 is not too early."""
    for text in ("[access]\ninactive_suspended = 0\n", "[access]\ninactive_warned = 0\n"):
        assert configuration.parse(text).access


def test_files(tmp_path: Path) -> None:
    """One that is not there, or cannot be read, says how to go on."""
    for path, cure in ((tmp_path / "none.toml", "cjsm init"), (tmp_path, "owner and mode")):
        with pytest.raises(ConfigurationError) as refused:
            configuration.load(path)
        assert cure in refused.value.cure
    (tmp_path / "cjsm.toml").write_text("[community]\nsuffix = 'other.test'\n")
    assert configuration.load(tmp_path / "cjsm.toml").community.suffix == "other.test"
