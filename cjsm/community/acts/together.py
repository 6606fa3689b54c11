"""Acts that are done in one commit: each has its own id and entry, which names the first one's."""

from collections.abc import Callable

import msgspec

from cjsm.community.acts.acting import By
from cjsm.community.identifiers import LENGTH, ActId, Entropy
from cjsm.community.view import Change, View

Act = Callable[[View], Change]


def part_of(by: By, entropy: Entropy, act: Callable[[View, By], Change]) -> Act:
    """Return *act* as a part of what *by* does: its entry tells of which, under ``within``."""
    following = msgspec.structs.replace(by, act_id=ActId(entropy(LENGTH)))

    def done(view: View) -> Change:
        change = act(view, following)
        if change.entry is None:
            return change
        details = tuple(sorted((*change.entry.details, ("within", by.act_id.hex()))))
        return msgspec.structs.replace(change, entry=msgspec.structs.replace(change.entry, details=details))

    return done
