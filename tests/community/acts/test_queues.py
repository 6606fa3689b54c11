"""Who may look at and change what waits to go out."""

import pytest

from cjsm.community.acts import queues
from cjsm.community.acts.queues import QueueAct
from cjsm.community.errors import NotAllowed
from cjsm.community.identifiers import ConnectionId
from tests.community.communities import by, community, identifier

FIRM = ConnectionId(identifier("firm connection"))


def test_an_engineer() -> None:
    """Looks and changes, with an entry that names what is meant."""
    look = queues.look(community(), by("erin.wright"), b"queue id").entry
    assert look is not None
    assert (look.act, look.subject_kind, look.subject) == ("queue-show", "message", b"queue id")
    one = queues.change(community(), by("erin.wright"), QueueAct.HOLD, FIRM, "all").entry
    assert one is not None
    assert (one.act, one.subject_kind, one.subject, one.details) == (
        "queue-hold", "connection", FIRM, (("messages", "all"),),
    )  # fmt: skip
    some = queues.change(community(), by(), QueueAct.REMOVE, None, "7").entry
    assert some is not None
    assert (some.act, some.subject_kind, some.subject) == ("queue-remove", "queue", b"")
    assert some.details == (("break-glass", "yes"), ("messages", "7"))


@pytest.mark.parametrize("actor", ["jo.ward", "olive.marsh", "henry.desk"])
def test_others_may_not(actor: str) -> None:
    """Not a mailbox user, nor an organisation's administrator, nor the helpdesk, which has the trace."""
    with pytest.raises(NotAllowed):
        queues.look(community(), by(actor), b"queue id")
    for act in QueueAct:
        with pytest.raises(NotAllowed):
            queues.change(community(), by(actor), act, None, "all")
