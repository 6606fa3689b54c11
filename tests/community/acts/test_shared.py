"""Shared mailboxes changed: by administrators, and what their managers may."""

import msgspec
import pytest

from cjsm.community.acts import shared
from cjsm.community.errors import BadValue, NotAllowed, NotFound
from cjsm.community.identifiers import MailboxId
from cjsm.community.records import SharedMailbox
from tests.community.communities import DESK, by, community, identifier

from .support import JO

MANAGED = msgspec.structs.replace(DESK, managers=(JO,))


def test_changed() -> None:
    """What is given, and nothing else; the ledger names the fields, not what is in them."""
    change = shared.change(community(), by("olive.marsh"), DESK.id, name=" Night desk ", notice=True)
    assert change.put == (msgspec.structs.replace(DESK, name="Night desk", notice=True, version=2),)
    assert change.entry is not None
    assert (change.entry.act, change.entry.details) == ("shared-change", (("changed", "name notice"),))


def test_managers() -> None:
    """Say whether members hear of new mail; the name is the administrators'."""
    view = community(MANAGED)
    (made,) = shared.change(view, by("jo.ward"), DESK.id, notice=True).put
    assert isinstance(made, SharedMailbox)
    assert made.notice
    with pytest.raises(NotAllowed):
        shared.change(view, by("jo.ward"), DESK.id, name="Mine", notice=True)
    with pytest.raises(NotAllowed):
        shared.change(view, by("sam.hill"), DESK.id, notice=True)


def test_refused() -> None:
    """Nothing to change, no name, no mailbox."""
    with pytest.raises(BadValue):
        shared.change(community(), by("olive.marsh"), DESK.id)
    with pytest.raises(BadValue):
        shared.change(community(), by("olive.marsh"), DESK.id, name="")
    with pytest.raises(NotFound):
        shared.change(community(), by("olive.marsh"), MailboxId(identifier("none")), notice=True)
