"""Looking at what became of messages."""

from cjsm.community.acts.acting import By, entry_of
from cjsm.community.authority import Action, may, require
from cjsm.community.view import Change, View


def look(view: View, by: By, queue_id: bytes) -> Change:
    """Note that the trace of a message is looked at: who writes to whom is personal, so looking is an act.

    :raises NotAllowed: when the actor may not trace messages.
    """
    permission = require(may(view, by.actor, Action.TRACE, None))
    return Change(entry=entry_of(view, by, "message-trace", "message", queue_id, permission))
