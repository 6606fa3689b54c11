"""``cjsm mailbox destroy``: only what nobody can have back, and then all of it."""

from functools import partial
from pathlib import Path

import pytest

from cjsm.command.context import wait
from cjsm.community.acts import lives
from cjsm.community.acts.lives import LifeStep
from cjsm.community.errors import Conflict
from cjsm.community.identifiers import MailboxId, text
from cjsm.community.records import Life
from cjsm.community.view import View
from cjsm.store.interfaces import Missing
from tests.command.conftest import Run, refused, told
from tests.command.mailboxes import beside, commit, deliver, join, last_entry, last_words

JANE = "jane.smith@avon"


def take(config: Path, step: LifeStep) -> None:
    with beside(config) as suite:
        account = suite.stores.community.read_now(lambda view: view.account_of_user_id(JANE))
        assert account is not None
        commit(suite, partial(lives.change_life, account=account.id, step=step), "left")


def later(config: Path, days: int) -> None:
    """Let time pass."""
    config.write_text(config.read_text().replace("undelete = 30", f"undelete = {30 - days}"))


@pytest.fixture
def jane(config: Path) -> MailboxId:
    """Somebody with a message."""
    mailbox = join(config)
    with beside(config) as suite:
        deliver(suite, mailbox, b"x" * 400_000)
    return mailbox


def test_not_before(cjsm: Run, config: Path, jane: MailboxId) -> None:
    """Neither somebody's who is here, nor somebody's who can be had back."""
    assert "delete the user first" in refused(cjsm("mailbox", "destroy", JANE, "--reason", "x", "--json"))["cure"]
    take(config, LifeStep.DELETE)
    assert "30 more days" in refused(cjsm("mailbox", "destroy", JANE, "--reason", "x", "--json"))["error"]
    assert cjsm("mailbox", "destroy", JANE).exit_code == 2, "a reason is due"
    with beside(config) as suite:
        assert wait(suite.stores.mail.usage(jane)).messages == 1


def test_all_of_it(cjsm: Run, config: Path, jane: MailboxId) -> None:
    """Mailbox, bodies and keys; the user cannot be had back, and it may be asked for again."""
    take(config, LifeStep.DELETE)
    later(config, 30)
    assert told(cjsm("mailbox", "destroy", JANE, "--reason", "retention ended", "--json"))["destroyed"]
    entry = last_entry(config)
    assert (entry.act, entry.subject, last_words(config)) == ("mailbox-destroy", jane, ["retention ended"])
    with beside(config) as suite:
        assert not suite.stores.mail.home(jane).exists()
        with pytest.raises(Missing):
            suite.stores.keys.get_now(jane, 1)
    assert "destroyed" in cjsm("mailbox", "destroy", JANE, "--reason", "again").output
    with pytest.raises(Conflict):
        take(config, LifeStep.UNDELETE)


def test_of_nobody(cjsm: Run, config: Path) -> None:
    """By its identifier."""
    nobodys = MailboxId(b"nobody's mailbox")
    assert "no mailbox" in refused(cjsm("mailbox", "destroy", text(nobodys), "--reason", "x", "--json"))["error"]
    with beside(config) as suite:
        home = suite.stores.mail.home(nobodys)
        home.mkdir(parents=True)
        (home / "mailbox.mdb").write_bytes(b"garbage")
    assert cjsm("mailbox", "destroy", text(nobodys), "--reason", "x").exit_code == 0
    assert not home.exists()


def test_a_deleted_user_comes_back(config: Path, jane: MailboxId) -> None:
    """While the mailbox is there."""
    take(config, LifeStep.DELETE)
    take(config, LifeStep.UNDELETE)

    def life(view: View) -> Life | None:
        found = view.account_of_user_id(JANE)
        return found.life if found else None

    with beside(config) as suite:
        assert suite.stores.community.read_now(life) is Life.ACTIVE
