"""Who may do what to a mailbox as a whole."""

from collections.abc import Callable
from functools import partial

import pytest

from cjsm.community.acts import lives, mailboxes
from cjsm.community.acts.lives import LifeStep
from cjsm.community.acts.mailboxes import MailboxAct
from cjsm.community.errors import BadValue, Conflict, NotAllowed
from cjsm.community.identifiers import AccountId, MailboxId
from cjsm.community.memory import MemoryView
from cjsm.community.records import Account, LedgerEntry, Life
from cjsm.community.view import Change
from tests.community.communities import DESK, NOW, by, community, hosted, identifier

JO, JOS = AccountId(identifier("jo.ward")), MailboxId(identifier("m-jo.ward"))
NOBODYS = MailboxId(identifier("m-nobody"))
_DAY = 86_400


def entry(change: Change) -> LedgerEntry:
    assert change.entry is not None
    return change.entry


def deleted(days: int) -> MemoryView:
    """The community, Jo deleted so many days ago."""
    return community(*hosted("jo.ward", "crime", "avon", life=Life.DELETED, state_since=NOW - days * _DAY))


@pytest.mark.parametrize("act", [MailboxAct.VERIFY, MailboxAct.BACK_UP])
def test_keeping(act: MailboxAct) -> None:
    """The operator keeps mailboxes safe without breaking the glass; nobody of an organisation does."""
    one = entry(mailboxes.keep(community(), by(), act, JOS))
    assert (one.act, one.subject_kind, one.subject, one.details) == (f"mailbox-{act}", "mailbox", JOS, ())
    assert entry(mailboxes.keep(community(), by("ada.central"), act, None)).subject == b""
    for actor in ("jo.ward", "olive.marsh", "henry.desk"):
        with pytest.raises(NotAllowed):
            mailboxes.keep(community(), by(actor), act, JOS)


def test_changing() -> None:
    """Whoever administers the people does; the operator breaks the glass; nobody reaches up."""
    view = community()
    one = entry(mailboxes.change(view, by("olive.marsh"), MailboxAct.IMPORT, JOS, form="mbox", messages="3"))
    assert one.details == (("form", "mbox"), ("messages", "3"))
    assert ("break-glass", "yes") in entry(mailboxes.change(view, by(), MailboxAct.IMPORT, JOS)).details
    assert entry(mailboxes.change(view, by("olive.marsh"), MailboxAct.IMPORT, DESK.id)).subject == DESK.id
    adas = MailboxId(identifier("m-ada.central"))
    for actor, mailbox in (("jo.ward", JOS), ("henry.desk", JOS), ("olive.marsh", adas), ("olive.marsh", NOBODYS)):
        with pytest.raises(NotAllowed):
            mailboxes.change(view, by(actor), MailboxAct.IMPORT, mailbox)


@pytest.mark.parametrize("act", [MailboxAct.RESTORE, MailboxAct.UNDELETE])
def test_reasons(act: MailboxAct) -> None:
    """What takes mail away, or brings it back for somebody else, needs one."""
    with pytest.raises(BadValue):
        mailboxes.change(community(), by("olive.marsh", reason=""), act, JOS)
    assert entry(mailboxes.change(community(), by("olive.marsh", reason="asked"), act, JOS)).words[0][1] == "asked"


def test_ones_own() -> None:
    """The person does it, and nobody for the person: not even the operator is the owner."""
    one = entry(mailboxes.own(community(), by("jo.ward"), MailboxAct.EXPORT, JOS, form="eml"))
    assert (one.actor, one.act, one.details) == (JO, "mailbox-export", (("form", "eml"),))
    with pytest.raises(ValueError, match="nobody's own"):
        mailboxes.own(community(), by("jo.ward"), MailboxAct.IMPORT, JOS)
    with pytest.raises(NotAllowed):
        mailboxes.own(deleted(1), by("jo.ward"), MailboxAct.EXPORT, JOS)


def test_destroying() -> None:
    """Once nobody can have it back; its keys are named by nobody then."""
    change = mailboxes.destroy(deleted(30), by("olive.marsh", reason="left"), JOS, 30 * _DAY)
    (account,) = change.put
    assert isinstance(account, Account)
    assert (account.mailbox, account.mailbox_keys, account.version) == (JOS, 0, 2)
    assert (entry(change).act, entry(change).reason) == ("mailbox-destroy", "left")
    assert mailboxes.destroy(community(), by(reason="x"), NOBODYS, 0).put == ()


@pytest.mark.parametrize(
    ("view", "mailbox", "said"),
    [
        (community(), JOS, "not deleted"),
        (deleted(29), JOS, "1 more days"),
        (community(), DESK.id, "shared mailbox"),
    ],
)
def test_not_destroyed(view: MemoryView, mailbox: MailboxId, said: str) -> None:
    """While somebody may still want it."""
    with pytest.raises(Conflict) as refused:
        mailboxes.destroy(view, by(reason="x"), mailbox, 30 * _DAY)
    assert said in str(refused.value)
    assert refused.value.cure


def test_destroying_needs_a_reason_and_a_right() -> None:
    """As deleting does."""
    with pytest.raises(BadValue):
        mailboxes.destroy(deleted(30), by("olive.marsh", reason=""), JOS, 0)
    with pytest.raises(NotAllowed):
        mailboxes.destroy(deleted(30), by("henry.desk", reason="x"), JOS, 0)


def test_nobody_comes_back_without_a_mailbox() -> None:
    """Whose mailbox was destroyed is added again."""
    view = community(*hosted("jo.ward", "crime", "avon", life=Life.DELETED, mailbox_keys=0))
    with pytest.raises(Conflict):
        lives.change_life(view, by("olive.marsh"), JO, LifeStep.UNDELETE)
    assert lives.change_life(deleted(1), by("olive.marsh"), JO, LifeStep.UNDELETE).put


@pytest.mark.parametrize("mailbox", [JOS, DESK.id, NOBODYS, None])
@pytest.mark.parametrize("actor", [None, "ada.central", "olive.marsh", "henry.desk", "erin.wright", "jo.ward"])
def test_asked_before(actor: str | None, mailbox: MailboxId | None) -> None:
    """What is asked before files are made is what the act asks."""
    view, acting = community(), by(actor, reason="asked")

    def allowed(ask: Callable[[], object]) -> bool:
        try:
            ask()
        except NotAllowed:
            return False
        return True

    for act in (MailboxAct.VERIFY, MailboxAct.BACK_UP):
        before = allowed(partial(mailboxes.check, view, acting.actor, act, mailbox))
        assert before == allowed(partial(mailboxes.keep, view, acting, act, mailbox))
    if mailbox is not None:
        for act in (MailboxAct.RESTORE, MailboxAct.IMPORT, MailboxAct.UNDELETE):
            before = allowed(partial(mailboxes.check, view, acting.actor, act, mailbox))
            assert before == allowed(partial(mailboxes.change, view, acting, act, mailbox))


def test_seeing_how_one_is() -> None:
    """Its owner or a member does, and whoever looks after those of the organisation; nobody else, no colleague."""
    view = community()
    seers = {
        name: [mailboxes.may_see(view, AccountId(identifier(name)), each).allowed for each in (JOS, DESK.id, NOBODYS)]
        for name in ("jo.ward", "sam.hill", "olive.marsh", "henry.desk", "erin.wright")
    }
    member = {AccountId(identifier(name)) for name in seers} & {each.account for each in DESK.members}
    assert seers["jo.ward"] == [True, AccountId(identifier("jo.ward")) in member, False]
    assert seers["sam.hill"] == [False, AccountId(identifier("sam.hill")) in member, False]
    assert seers["olive.marsh"] == [True, True, False]
    assert seers["henry.desk"] == seers["erin.wright"] == [True, True, True]
    assert mailboxes.may_see(view, None, NOBODYS).allowed
    locked = community(*hosted("jo.ward", "crime", "avon", locked=True))
    assert not mailboxes.may_see(locked, JO, JOS).allowed


def test_lists_of_mailboxes() -> None:
    """One of nobody is the whole community's."""
    every = (JOS, DESK.id, NOBODYS)
    assert mailboxes.those(community(), every, lambda place: place is None) == [NOBODYS]
    assert mailboxes.those(community(), every, lambda place: place is not None) == [JOS, DESK.id]
