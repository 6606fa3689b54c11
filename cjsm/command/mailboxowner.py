"""A mailbox's owner, who opens it with the password that only the owner knows."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred

from cjsm.access.interfaces import IDirectoryReader, IMaildrop, LoginAttempt
from cjsm.access.protocols import AT_THE_SERVER
from cjsm.command import proving, secrets
from cjsm.command.context import wait
from cjsm.command.output import Refused
from cjsm.community.identifiers import AccountId, MailboxId
from cjsm.suite import Suite

#: The door by which attempts come: failures count as everywhere.
_PROTOCOL = AT_THE_SERVER


def sign_in(suite: Suite, mailbox: MailboxId) -> AccountId:
    """Ask for the password of the person whose *mailbox* it is; return who that is.

    :raises AccessError: when it is not the password, or the person may not sign in.
    """
    owner = suite.stores.community.read_now(lambda view: view.account_of_mailbox(mailbox))
    if owner is None:
        raise Refused("this is no person's own mailbox", "give the reason for it with --reason")
    _log_in(suite, owner.user_id, IDirectoryReader)[2]()
    return owner.id


@contextmanager
def opened(suite: Suite, name: str) -> Iterator[Any]:
    """The maildrop that a login name opens, with its owner's password, as POP3 opens it: nobody else has it meanwhile.

    :param name: a user ID or address, with ``/shared-name`` behind it for a shared mailbox.
    :raises AccessError: when it is not the password, or the person may not sign in.
    """
    _, maildrop, log_out = _log_in(suite, name, IMaildrop)
    try:
        yield maildrop
    finally:
        log_out()


def _log_in(suite: Suite, name: str, interface: type) -> tuple[Any, Any, Callable[[], None]]:
    (secret,) = secrets.ask("Password")
    attempt = LoginAttempt(name, secret, protocol=_PROTOCOL, source=proving.SOURCE)
    portal: Portal = suite.portal_at_the_server()
    answer: Deferred[tuple[Any, Any, Callable[[], None]]] = portal.login(attempt, None, interface)
    opened = wait(answer)
    try:
        # Here the password alone would open all mail.
        proving.ask_code(suite, opened[1].account)
    except BaseException:
        opened[2]()
        raise
    return opened
