"""People show at the server who they are: every password that somebody chose goes by the checker of the doors.

So wrong ones are counted with those at the doors, shut out as there, and answered in equal words whoever was meant.
What follows opens with the password what it needs; it is asked only after the checker said yes.
"""

from contextlib import suppress

from cjsm.access.errors import AccessRefused, PasswordExpired
from cjsm.access.protocols import ACTS
from cjsm.access.signedin import Officer, SignedIn
from cjsm.command import secrets
from cjsm.command.agent import Kept
from cjsm.command.context import wait
from cjsm.command.output import Refused
from cjsm.community import finding
from cjsm.community.errors import NotFound
from cjsm.community.identifiers import AccountId
from cjsm.community.records import Account
from cjsm.suite import Suite
from cjsm.vault import device

#: Where attempts come from.
SOURCE = "127.0.0.1"


def prove(suite: Suite, name: str, secret: bytes, protocol: str = ACTS) -> SignedIn:
    """Return who *name* is, whose own password *secret* is.

    :raises AccessRefused: when it is not, or they may not sign in, or wrong ones shut this server out: not told apart.
    :raises MustChoosePassword: for a one-time password, or one that is too old.
    :raises TryLater: when too many people's passwords were wrong here.
    """
    # What checks passwords is imported with the first of them.
    from cjsm.access.interfaces import LoginAttempt

    attempt = LoginAttempt(name, secret, protocol=protocol, source=SOURCE)
    return wait(suite.checker_at_the_server.requestAvatarId(attempt))


def own(suite: Suite, name: str, secret: bytes, protocol: str = ACTS) -> Account:
    """Return the account of *name*, after the checker has seen a *secret* that its person chose.

    System-made ones nobody guesses: the act that they are for verifies them, and knows which it takes.

    :raises AccessError: as :func:`prove` does, for names of nobody too.
    """
    account = known(suite, name)
    if account is None or device.parse(secret) is None:
        prove(suite, account.user_id if account is not None else name, secret, protocol)
    if account is None:
        raise AccessRefused
    return account


def to_choose(suite: Suite, name: str, secret: bytes) -> Account:
    """The same for somebody who chooses another password, which is for one that is too old too."""
    with suppress(PasswordExpired):
        return own(suite, name, secret)
    account = known(suite, name)
    if account is None:
        raise AccessRefused
    return account


def person(suite: Suite, name: str) -> tuple[SignedIn, bytes]:
    """Ask for the password of *name*; return who that is, and the password."""
    account = known(suite, name)
    named = account.user_id if account is not None else name
    (secret,) = secrets.ask(f"Password of {named}")
    return prove(suite, named, secret), secret


def officer(suite: Suite, name: str, kept: Kept | None) -> Officer:
    """Return *name* with the authority key that their password opened: at ``cjsm login``, as *kept*, or now.

    :raises AccessRefused: when they chose another password since ``cjsm login``; and as :func:`prove` does.
    """
    account = known(suite, name)
    if kept is None or secrets.from_stdin() or account is None or kept.account != account.id:
        try:
            return ask_officer(suite, name)
        except secrets.NoTerminal as error:
            if kept is None:
                raise
            other = signed_in(suite, kept)
            cure = f"sign in as {name} instead: cjsm login {name}; or {error.cure}"
            raise Refused(f"{other} is signed in by `cjsm login`, and {error}", cure) from error
    if kept.password_version != account.password_version:
        raise AccessRefused
    return Officer(account.id, kept.seeds)


def signed_in(suite: Suite, kept: Kept) -> str:
    """Return the user ID of who is signed in by ``cjsm login``."""
    return suite.stores.community.read_now(lambda view: finding.user_id_of(view, AccountId(kept.account)))


def ask_officer(suite: Suite, name: str) -> Officer:
    """Return who showed their own password, a code too where they have a second factor, and the authority key that
    it opened.

    :raises AccessError: as :func:`prove` and :func:`ask_code` do.
    """
    shown, password = person(suite, name)
    ask_code(suite, shown.account.id)
    return suite.recovering.officer_of(shown, password)


def ask_code(suite: Suite, identifier: AccountId) -> None:
    """Ask for a code where somebody, whose password was seen just now, has a second factor.

    :raises CodeRefused: when it is not one of their authenticator, or too many wrong ones were tried.
    """
    account = suite.stores.community.read_now(lambda view: view.account(identifier))
    if account is not None and account.factor_since:
        (code,) = secrets.ask("Code of the authenticator")
        wait(suite.factors.prove(identifier, code))


def known(suite: Suite, name: str) -> Account | None:
    """Return the account with a user ID or address, or None."""
    with suppress(NotFound):
        return suite.stores.community.read_now(lambda view: finding.account_of(view, name))
    return None
