"""Who gives mailboxes how much."""

import pytest

from cjsm.community.acts import quotas
from cjsm.community.acts.quotas import QuotaLimits
from cjsm.community.errors import BadValue, NotAllowed, NotFound
from cjsm.community.identifiers import MailboxId
from cjsm.community.view import Change
from tests.community.communities import DESK, by, identifier

from .support import VIEW, account

MIB = 1 << 20
LIMITS = QuotaLimits(1024 * MIB, 10_240 * MIB)
JOS = MailboxId(identifier("m-jo.ward"))


def test_limits_by_role() -> None:
    """An organisation's administrator gives up to its limit, a community administrator more, nobody beyond all."""
    change = quotas.set_quota(VIEW, by("olive.marsh"), JOS, 1024 * MIB, LIMITS)
    after = VIEW.apply(change)
    made, before = account(after, "jo.ward"), account(VIEW, "jo.ward")
    assert (made.quota, made.version) == (1024 * MIB, before.version + 1)
    assert change.entry is not None
    assert dict(change.entry.details) == {"octets": str(1024 * MIB), "before": "0"}
    with pytest.raises(NotAllowed, match="only a community administrator"):
        quotas.set_quota(VIEW, by("olive.marsh"), JOS, 1024 * MIB + 1, LIMITS)
    assert quotas.set_quota(VIEW, by("ada.central"), JOS, 10_240 * MIB, LIMITS).entry
    for octets in (-1, 10_240 * MIB + 1):
        with pytest.raises(BadValue):
            quotas.set_quota(VIEW, by("ada.central"), JOS, octets, LIMITS)


def test_whose() -> None:
    """Of one's own subtree; a shared mailbox too."""
    for who in ("law.yer", "henry.desk", "erin.wright", "jo.ward"):
        with pytest.raises(NotAllowed):
            quotas.set_quota(VIEW, by(who), JOS, MIB, LIMITS)
    with pytest.raises(NotAllowed):
        quotas.set_quota(VIEW, by("olive.marsh"), MailboxId(identifier("m-law.yer")), MIB, LIMITS)
    found = VIEW.apply(quotas.set_quota(VIEW, by("olive.marsh"), DESK.id, MIB, LIMITS)).shared_mailbox(DESK.id)
    assert found is not None
    assert found.quota == MIB
    with pytest.raises(NotFound):
        quotas.set_quota(VIEW, by(), MailboxId(identifier("nobody's")), MIB, LIMITS)


def test_the_same_again() -> None:
    """Nothing happens."""
    after = VIEW.apply(quotas.set_quota(VIEW, by(), JOS, MIB, LIMITS))
    assert quotas.set_quota(after, by(), JOS, MIB, LIMITS) == Change()
