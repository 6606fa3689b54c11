"""What every act has in common."""

import msgspec
import pytest

from cjsm.community.acts import accounts, organisations
from cjsm.community.errors import BadValue
from tests.community.communities import (
    NOW,
    by,
    identifier,
    organisation,
)

from .support import VIEW, new_account


def test_every_act_is_told() -> None:
    """The entry says what was done, when, by whom and why, without a name in it."""
    change = accounts.add_hosted(VIEW, by("olive.marsh", "joined in May"), new_account())
    entry = change.entry
    assert entry is not None
    assert (entry.act, entry.moment, entry.organisation) == ("user-add", NOW, new_account().organisation)
    assert (entry.reason, entry.person) == ("", entry.subject)
    assert [name for name, _ in entry.words] == ["user", "address", "reason"]
    assert dict(entry.words)["reason"] == "joined in May"
    assert entry.actor == identifier("olive.marsh")
    assert (entry.subject_kind, entry.subject) == ("account", identifier("new.comer"))
    assert "comer" not in str(entry.details)


def test_the_operator_breaks_the_glass() -> None:
    """Once somebody administers the community, what is done at the server's shell is marked."""
    change = accounts.add_hosted(VIEW, by(), new_account())
    assert change.entry is not None
    assert ("break-glass", "yes") in change.entry.details
    assert change.entry.actor == b""


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 201])
def test_names_are_printable(name: str) -> None:
    """And neither empty nor endless."""
    with pytest.raises(BadValue):
        organisations.add(VIEW, by(), msgspec.structs.replace(organisation("new"), name=name))
