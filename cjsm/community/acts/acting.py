"""What every act has in common: who acts, the ledger entry, and checks of values."""

import msgspec
from msgspec import Struct

from cjsm.community.authority import Permission
from cjsm.community.errors import BadValue, NotFound
from cjsm.community.identifiers import AccountId, ActId
from cjsm.community.records import Account, LedgerEntry
from cjsm.community.view import View

_LONGEST_TEXT = 200


class By(Struct, frozen=True, kw_only=True):
    """Who acts, under which id: an account, or None for the local operator; *reason* where one is due."""

    act_id: ActId
    actor: AccountId | None = None
    reason: str = ""


def entry_of(
    view: View, by: By, act: str, kind: str, subject: bytes, permission: Permission, **details: str
) -> LedgerEntry:
    """Return the ledger entry of *act* on the *subject*, a *kind* of record; it tells of a break-glass permission."""
    told = dict(details)
    if permission.break_glass:
        told["break-glass"] = "yes"
    return LedgerEntry(
        act_id=by.act_id,
        act=act,
        moment=view.moment,
        actor=by.actor or b"",
        subject_kind=kind,
        subject=subject,
        reason=by.reason,
        details=tuple(sorted(told.items())),
    )


def check_text(text: str, what: str) -> str:
    """Return *text* without outer space.

    :raises BadValue: when it is empty, too long or holds control characters.
    """
    told = text.strip()
    if not told or len(told) > _LONGEST_TEXT or not told.isprintable():
        raise BadValue(f"{what} needs 1 to {_LONGEST_TEXT} printable characters")
    return told


def existing(view: View, account: AccountId) -> Account:
    """Return the account.

    :raises NotFound: when there is none.
    """
    found = view.account(account)
    if found is None:
        raise NotFound("there is no such user")
    return found


def changed(account: Account, **changes: object) -> Account:
    """Return the account with *changes* and the next version, so that sessions and caches notice."""
    return msgspec.structs.replace(account, version=account.version + 1, **changes)
