"""Which mailbox is meant, and what whoever acts may do to it."""

from cjsm.command import acting
from cjsm.community import finding
from cjsm.community.acts import mailboxes
from cjsm.community.acts.mailboxes import MailboxAct
from cjsm.community.authority import require
from cjsm.community.identifiers import MailboxId
from cjsm.suite import Suite


def named(suite: Suite, name: str) -> MailboxId:
    """Return the mailbox that somebody means.

    :raises NotFound: when there is none.
    """
    return suite.stores.community.read_now(lambda view: finding.mailbox_of(view, name))


def see(suite: Suite, mailbox: MailboxId) -> None:
    """Ask whether whoever acts may see how a mailbox is.

    :raises NotAllowed: with the reason.
    """
    who = acting.actor(suite)
    suite.stores.community.read_now(lambda view: require(mailboxes.may_see(view, who, mailbox)))


def check(suite: Suite, act: MailboxAct, mailbox: MailboxId | None) -> None:
    """Ask whether whoever acts may do *act* to a mailbox (None: to all), before files are looked at or made.

    :raises NotAllowed: with the reason.
    """
    who = acting.actor(suite)
    suite.stores.community.read_now(lambda view: mailboxes.check(view, who, act, mailbox))
