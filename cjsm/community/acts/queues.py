"""What engineers do to messages that wait to go out. The queue itself is the spool's; here it is allowed and noted."""

from enum import StrEnum

from cjsm.community.acts.acting import By, entry_of
from cjsm.community.authority import Action, may, require
from cjsm.community.identifiers import ConnectionId
from cjsm.community.view import Change, View


class QueueAct(StrEnum):
    """What is done to messages that wait."""

    RETRY = "retry"
    HOLD = "hold"
    RELEASE = "release"
    REMOVE = "remove"


def look(view: View, by: By, queue_id: bytes) -> Change:
    """Note that a waiting message is looked at: who writes to whom is personal, so looking is an act.

    :raises NotAllowed: when the actor may not see queues.
    """
    permission = require(may(view, by.actor, Action.SEE_QUEUES, None))
    return Change(entry=entry_of(view, by, "queue-show", "message", queue_id, permission))


def change(view: View, by: By, act: QueueAct, connection: ConnectionId | None, messages: str) -> Change:
    """Note that waiting messages are changed, before they are.

    :param connection: the one whose messages are meant; None where they are not all of one.
    :param messages: which they are, in words: their numbers, or "all".
    :raises NotAllowed: when the actor may not change queues.
    """
    permission = require(may(view, by.actor, Action.CHANGE_QUEUES, None))
    kind = "connection" if connection is not None else "queue"
    return Change(entry=entry_of(view, by, f"queue-{act}", kind, connection or b"", permission, messages=messages))
