"""Who may look at what became of messages."""

import pytest

from cjsm.community.acts import traces
from cjsm.community.errors import NotAllowed

from .communities import by, community, identifier

QUEUE = b"queue id"


def test_looking_is_an_act() -> None:
    """Of the helpdesk, with an entry that names the message; of the operator too, who breaks the glass."""
    view = community()
    entry = traces.look(view, by("henry.desk"), QUEUE).entry
    assert entry is not None
    assert (entry.act, entry.subject, entry.actor) == ("message-trace", QUEUE, identifier("henry.desk"))
    assert entry.details == ()
    operator = traces.look(view, by(), QUEUE).entry
    assert operator is not None
    assert (operator.actor, operator.details) == (b"", (("break-glass", "yes"),))


@pytest.mark.parametrize("actor", ["jo.ward", "olive.marsh"])
def test_others_may_not(actor: str) -> None:
    """A mailbox user, or an administrator of one organisation, sees nobody's traces."""
    with pytest.raises(NotAllowed):
        traces.look(community(), by(actor), QUEUE)
