"""The end of a deleted account, in two commits: it is recorded as over, then keys and mail go, then its name goes."""

from collections.abc import Iterator

from cjsm.community.acts.acting import By, changed, entry_of, existing
from cjsm.community.acts.keys import ITSELF
from cjsm.community.acts.naming import given_up
from cjsm.community.errors import Conflict
from cjsm.community.identifiers import AccountId
from cjsm.community.records import Account, Life, MailList, Record, SharedMailbox
from cjsm.community.view import Change, View

#: The act's name in the ledger; a restored backup is gone through again for what this says.
ACT = "user-destroyed"
MAILBOX = "mailbox"


def due(view: View, account: Account, before: int) -> bool:
    """Whether *account* was deleted before a moment, or its destruction has begun."""
    return account.life is Life.DELETED and (not account.keys or account.state_since < before)


def begin(view: View, by: By, account: AccountId, before: int) -> Change:
    """Record that an account ends: it names no keys any more and has no part in anything. The service's own act.

    :raises Conflict: when it was not deleted before the moment *before*, or has ended already.
    """
    found = existing(view, account)
    if not due(view, found, before) or not found.keys:
        raise Conflict("this user's keys are not to be destroyed")
    ended = changed(found, keys=0, mailbox_keys=0, device_passwords=(), state_note="")
    told = {MAILBOX: found.mailbox.hex()} if found.mailbox is not None else {}
    entry = entry_of(view, by, ACT, "account", account, ITSELF, **told)
    removed = tuple(view.roles_of(account))
    editions = ((found.mailbox, 0),) if found.mailbox is not None else ()
    return Change(put=(ended, *_left(view, found)), removed=removed, entry=entry, editions=editions)


def finish(view: View, account: AccountId, reserved_for: int) -> Change:
    """Remove the account once its keys are gone, and what the ledger's entries said of the person in words; its
    addresses are nobody's for *reserved_for* seconds.

    The entry of :func:`begin` tells of it.
    """
    found = view.account(account)
    if found is None:
        return Change()
    if found.life is not Life.DELETED or found.keys:
        raise Conflict("this user's keys are still there")
    return Change(put=given_up(view, account, reserved_for), removed=(found,), forgotten=(account,))


def _left(view: View, account: Account) -> Iterator[Record]:
    """Yield the lists and shared mailboxes that the account was part of, without it."""
    addresses = {record.address for record in view.addresses_of(account.id)}
    for organisation in view.organisations():
        for found in view.lists_in(organisation.id):
            members = tuple(member for member in found.members if member not in addresses)
            yield from _changed(found, members, account.id)
        for shared in view.shared_mailboxes_in(organisation.id):
            kept = tuple(member for member in shared.members if member.account != account.id)
            yield from _changed(shared, kept, account.id)


def _changed(found: MailList | SharedMailbox, members: tuple[object, ...], gone: AccountId) -> Iterator[Record]:
    managers = tuple(manager for manager in found.managers if manager != gone)
    if (members, managers) != (found.members, found.managers):
        yield changed(found, members=members, managers=managers)
