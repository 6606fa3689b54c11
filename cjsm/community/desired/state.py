"""The whole of a file: exported, compared, and carried out."""

from collections.abc import Iterator
from functools import partial

from cjsm.community.acts.acting import By, entry_of
from cjsm.community.acts.together import Act, part_of
from cjsm.community.authority import Action, may, within
from cjsm.community.desired import connections, domains, lists, organisations, roles, sharing
from cjsm.community.desired.differences import Difference, Step, at, ordered
from cjsm.community.desired.seeing import Seen
from cjsm.community.desired.tables import Desired
from cjsm.community.errors import Overtaken
from cjsm.community.identifiers import AccountId, Entropy
from cjsm.community.view import Change, View


def export(view: View, actor: AccountId | None) -> Desired:
    """Return the community, or what of it *actor* sees, as a file has it: everything in order, every value there.

    :raises NotAllowed: when they see nothing of it.
    """
    within(view, actor, Action.SEE_ORGANISATIONS)
    seen = Seen(view, actor, Desired(), bytes)
    return Desired(
        organisation=dict(sorted(organisations.tables(seen).items())),
        connection=dict(sorted(connections.tables(seen).items())),
        domain=dict(sorted(domains.tables(seen).items())),
        list=dict(sorted(lists.tables(seen).items())),
        shared=dict(sorted(sharing.tables(seen).items())),
        role=dict(sorted(roles.tables(seen).items())),
    )


def compare(seen: Seen) -> list[Difference]:
    """Return how the file differs from the community, kind by kind in the order of the file.

    :raises CommunityError: naming table and key of what can be nothing, or is not theirs to see.
    """
    within(seen.view, seen.actor, Action.SEE_ORGANISATIONS)
    found: list[Difference] = []
    for kind in (organisations, connections, domains, lists, sharing, roles):
        found += kind.compare(seen)
    return found


def acts(seen: Seen, by: By, shown: list[Difference] | None, *, digest: str, entropy: Entropy) -> Iterator[Act]:
    """Yield the acts that lead to the file, to be done one after the other and all in one commit.

    The first one's entry has the *digest* of the file and how many there are. Each other has an id of its own, and
    names the first one's.

    :param shown: the differences that people agreed to; None where nobody was asked.
    :raises Overtaken: when they are others by now.
    """
    found = compare(seen)
    if shown is not None and [each.told() for each in found] != [each.told() for each in shown]:
        raise Overtaken("the community changed since the differences were shown", "look at them again: run this again")
    steps = ordered(found)
    if steps:
        yield lambda view: _begun(view, by, digest, len(steps))
    for step in steps:
        yield part_of(by, entropy, partial(_placed, step))


def _begun(view: View, by: By, digest: str, many: int) -> Change:
    permission = may(view, by.actor, Action.SEE_ORGANISATIONS, None)
    told = {"acts": str(many), "file": digest}
    return Change(entry=entry_of(view, by, "community-apply", "community", b"", permission, **told))


def _placed(step: Step, view: View, by: By) -> Change:
    with at(step.where):
        return step.act(view, by)
