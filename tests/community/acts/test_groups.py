"""Lists and shared mailboxes."""

import pytest

from cjsm.community.acts import groups
from cjsm.community.address import Address
from cjsm.community.errors import BadValue, Exists
from cjsm.community.identifiers import (
    ListId,
    MailboxId,
)
from cjsm.community.invariants import problems
from cjsm.community.records import (
    MailList,
    SharedMailbox,
)
from tests.community.communities import (
    CRIME_LIST,
    DESK,
    SUFFIX,
    by,
    identifier,
)

from .support import VIEW


def test_lists_and_shared_mailboxes() -> None:
    """Get an address in their organisation's domain that nobody else has."""
    found = MailList(id=ListId(identifier("new-list")), organisation=CRIME_LIST.organisation, slug="news", name="News")
    shared = SharedMailbox(
        id=MailboxId(identifier("new-box")), organisation=DESK.organisation, slug="box", name="Box", keys=1
    )
    after = VIEW.apply(groups.add_list(VIEW, by("olive.marsh"), found, Address.parse(f"news@avon.{SUFFIX}")))
    after = after.apply(
        groups.add_shared_mailbox(after, by("olive.marsh"), shared, Address.parse(f"box@avon.{SUFFIX}"))
    )
    assert after.address(f"news@avon.{SUFFIX}") is not None
    assert problems(after) == []
    with pytest.raises(Exists):
        groups.add_list(VIEW, by(), found, Address.parse(f"jo.ward@avon.{SUFFIX}"))
    with pytest.raises(BadValue):
        groups.add_list(VIEW, by(), found, Address.parse(f"news@firm.{SUFFIX}"))
