"""System notices: an administrator tells many people of an interruption. A kind and times, and no word of one's own."""

from collections.abc import Collection

from cjsm.community.acts.acting import By, entry_of
from cjsm.community.authority import Action, may, require
from cjsm.community.errors import BadValue
from cjsm.community.identifiers import OrganisationId
from cjsm.community.view import Change, View

#: The act's name in the ledger: who is told follows from its entry.
ACT = "notice-send"
_YEAR = 366 * 86_400
_LONGEST = 7 * 86_400


def send(
    view: View,
    by: By,
    kind: str,
    organisation: OrganisationId | None,
    begins: int,
    ends: int | None,
    *,
    kinds: Collection[str],
    with_end: bool,
) -> Change:
    """Tell everybody in *organisation* and below it, or in the community, of something from *begins* to *ends*.

    :param kinds: what may be sent.
    :param with_end: whether this kind has an end.
    :raises BadValue: for another kind, or times that are over, too far away, or the wrong way round.
    """
    permission = require(may(view, by.actor, Action.SEND_NOTICES, organisation))
    if kind not in kinds:
        raise BadValue(f"there is no such system notice: {kind!r}", f"send one of {', '.join(sorted(kinds))}")
    if not view.moment <= begins <= view.moment + _YEAR:
        raise BadValue("that is over, or more than a year away", "give --from as a time to come")
    code = ""
    if with_end:
        minutes = (ends - begins) // 60 if ends is not None else 0
        if not 1 <= minutes <= _LONGEST // 60:
            raise BadValue("an interruption ends after it begins, within a week", "correct --from or --until")
        code = str(minutes)
    elif ends is not None:
        raise BadValue("this notice has no end", "leave --until away")
    told = {"notice": kind, "date": str(begins), "code": code}
    where = "organisation" if organisation is not None else "community"
    return Change(entry=entry_of(view, by, ACT, where, organisation or b"", permission, **told))
