"""Which mailbox is meant, and its owner, who opens it with the password that only the owner knows."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred

from cjsm.access.checker import AT_THE_SERVER
from cjsm.access.errors import (
    AccessUnavailable,
    MailboxClosed,
    MaildropInUse,
    MustChoosePassword,
    NotOffered,
    TryLater,
)
from cjsm.access.interfaces import IDirectoryReader, IMaildrop, LoginAttempt
from cjsm.command import secrets
from cjsm.command.context import wait
from cjsm.command.output import Refused
from cjsm.community import finding
from cjsm.community.identifiers import AccountId, MailboxId
from cjsm.suite import Suite

#: Where attempts come from, and by which door: failures count as everywhere.
_SOURCE, _PROTOCOL = "127.0.0.1", AT_THE_SERVER
#: What to do where it is not for the password.
_CURES = {
    MaildropInUse: "end that session, then run this again",
    MailboxClosed: "see `cjsm mailbox verify`",
    MustChoosePassword: "see `cjsm user set-password --help`",
    NotOffered: "see `cjsm mailbox list`",
    AccessUnavailable: "see `cjsm check`",
    TryLater: "wait, then run this again",
}


def named(suite: Suite, name: str) -> MailboxId:
    """Return the mailbox that somebody means.

    :raises NotFound: when there is none.
    """
    return suite.stores.community.read_now(lambda view: finding.mailbox_of(view, name))


def sign_in(suite: Suite, mailbox: MailboxId, from_stdin: bool) -> AccountId:
    """Ask for the password of the person whose *mailbox* it is; return who that is.

    :raises AccessError: when it is not the password, or the person may not sign in.
    """
    owner = suite.stores.community.read_now(lambda view: view.account_of_mailbox(mailbox))
    if owner is None:
        raise Refused("this is no person's own mailbox", "give the reason for it with --reason")
    _log_in(suite, owner.user_id, from_stdin, IDirectoryReader)[2]()
    return owner.id


@contextmanager
def opened(suite: Suite, name: str, from_stdin: bool) -> Iterator[Any]:
    """The maildrop that a login name opens, with its owner's password, as POP3 opens it: nobody else has it meanwhile.

    :param name: a user ID or address, with ``/shared-name`` behind it for a shared mailbox.
    :raises AccessError: when it is not the password, or the person may not sign in.
    """
    _, maildrop, log_out = _log_in(suite, name, from_stdin, IMaildrop)
    try:
        yield maildrop
    finally:
        log_out()


def _log_in(suite: Suite, name: str, from_stdin: bool, interface: type) -> tuple[Any, Any, Callable[[], None]]:
    (secret,) = secrets.ask("Password", from_stdin=from_stdin)
    attempt = LoginAttempt(name, secret, protocol=_PROTOCOL, source=_SOURCE)
    portal: Portal = suite.portal_at_the_server()
    answer: Deferred[tuple[Any, Any, Callable[[], None]]] = portal.login(attempt, None, interface)
    try:
        opened = wait(answer)
    except tuple(_CURES) as error:
        raise Refused(str(error), _CURES[type(error)]) from None
    try:
        _ask_code(suite, opened[1].account, from_stdin)
    except BaseException:
        opened[2]()
        raise
    return opened


def _ask_code(suite: Suite, identifier: AccountId, from_stdin: bool) -> None:
    """Ask for a code where the person has a second factor: here the password alone would open all mail."""
    account = suite.stores.community.read_now(lambda view: view.account(identifier))
    if account is not None and account.factor_since:
        (code,) = secrets.ask("Code of the authenticator", from_stdin=from_stdin)
        wait(suite.factors.prove(identifier, code))
