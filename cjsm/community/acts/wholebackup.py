"""The whole service backed up and put back: nothing of it changes, and everybody can see that it was."""

from cjsm.community.acts.acting import By, entry_of, operators
from cjsm.community.authority import Action, may, require
from cjsm.community.view import Change, View


def keep(view: View, by: By) -> Change:
    """Note that everything is backed up.

    :raises NotAllowed: when the actor may not.
    """
    permission = require(may(view, by.actor, Action.BACK_UP_MAILBOXES, None))
    return Change(entry=entry_of(view, by, "service-backup", "service", b"", permission))


def restored(view: View, by: By, begun: str) -> Change:
    """Note that everything was put back from a backup begun at *begun*: what came between that and now is lost."""
    permission = operators(by, "putting a service back is")
    return Change(entry=entry_of(view, by, "service-restored", "service", b"", permission, backup=begun))
