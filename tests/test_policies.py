"""Password policies as settings files."""

from pathlib import Path

import pytest

from cjsm import configuration, policies
from cjsm.configuration import ConfigurationError
from cjsm.policies import DAY, BadPolicy, load


def test_the_table() -> None:
    """The two profiles are what the community's rules say (section 7)."""
    ncsc, legacy = load("ncsc"), load("legacy")
    assert (ncsc.user_length, ncsc.administrator_length, ncsc.longest) == (12, 14, 128)
    assert (legacy.user_length, legacy.administrator_length) == (8, 10)
    assert (ncsc.classes, ncsc.deny_common, ncsc.deny_names) == (1, True, True)
    assert (legacy.classes, legacy.deny_names) == (3, True)
    assert (ncsc.expires, legacy.expires, legacy.warnings) == (0, 90, (15, 10, 5))
    assert (ncsc.former, legacy.former) == (0, 1)
    assert (ncsc.lock, ncsc.warn_at, legacy.lock, legacy.warn_at) == (10, 0, 5, 4)


def test_end_and_warnings() -> None:
    """A password of the old profile ends after 90 days; from 15 days before that people hear of it."""
    legacy = load("legacy")
    since = 1_000_000
    assert legacy.ends(since) == since + 90 * DAY
    due = {day: legacy.warned_since(since, since + day * DAY) for day in (74, 75, 79, 80, 84, 85, 89, 90)}
    assert due == {74: None, 75: 15, 79: 15, 80: 10, 84: 10, 85: 5, 89: 5, 90: None}
    assert load("ncsc").ends(since) is None
    assert legacy.warned_since(since, since + 75 * DAY - 1) is None
    assert load("ncsc").warned_since(since, since + 1_000 * DAY) is None


def test_one_of_ones_own(tmp_path: Path) -> None:
    """A file of the same form, named by its path; a mistake in it is said with its cure, when settings are read."""
    own = tmp_path / "own.toml"
    own.write_text("user_length = 20\nadministrator_length = 24\nlock = 3\ndevices_only = true\n")
    assert load(str(own)).user_length == 20
    assert configuration.parse(f'[access]\npolicy = "{own}"').access.policy == str(own)
    for text in ("user_length = 20\n", "user_length = 0\nadministrator_length = 1\n", "nonsense", "surprise = 1\n"):
        own.write_text(text)
        with pytest.raises(BadPolicy, match=r"own\.toml") as caught:
            load(str(own))
        assert caught.value.cure
    for named in ("ncsd", str(tmp_path / "none.toml"), "../../etc/passwd"):
        with pytest.raises(ConfigurationError, match=r"access\.policy"):
            configuration.parse(f'[access]\npolicy = "{named}"')
    assert set(policies.NAMES) == {"ncsc", "legacy"}
