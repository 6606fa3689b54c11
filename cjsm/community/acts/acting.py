"""What every act has in common: who acts, the ledger entry, and checks of values."""

from typing import TypeVar

import msgspec
from msgspec import Struct

from cjsm.community.acts.reasons import Reason
from cjsm.community.applicationrecords import Application
from cjsm.community.authority import OPERATOR, Permission
from cjsm.community.errors import BadValue, Conflict, NotAllowed, NotFound, quoted
from cjsm.community.finding import primary_address
from cjsm.community.identifiers import LENGTH, AccountId, ActId, Entropy, OrganisationId
from cjsm.community.records import (
    Account,
    Connection,
    LedgerEntry,
    MailList,
    Organisation,
    RecoveryRequest,
    SharedMailbox,
)
from cjsm.community.states import takes_mail
from cjsm.community.subjects import organisation_of_subject, person_of_subject
from cjsm.community.view import View

#: What has a version, which rises with every change.
Versioned = TypeVar(
    "Versioned",
    bound=Account | Application | Connection | MailList | Organisation | RecoveryRequest | SharedMailbox,
)

_LONGEST_TEXT = 200
_CODES = frozenset(Reason)


class By(Struct, frozen=True, kw_only=True):
    """Who acts, under which id: an account, or None for the local operator; *reason* where one is due."""

    act_id: ActId
    actor: AccountId | None = None
    reason: str = ""

    @classmethod
    def fresh(cls, entropy: Entropy, actor: AccountId | None = None, reason: str = "") -> "By":
        """Return who acts, under an id that no act had before."""
        return cls(act_id=ActId(entropy(LENGTH)), actor=actor, reason=reason)


def entry_of(
    view: View, by: By, act: str, kind: str, subject: bytes, permission: Permission, **details: str
) -> LedgerEntry:
    """Return the ledger entry of *act* on the *subject*, a *kind* of record; it tells of a break-glass permission.

    A reason in somebody's own words, and not a code, may be about a person: it is kept beside the entry.
    """
    told = dict(details)
    if permission.break_glass:
        told["break-glass"] = "yes"
    coded = by.reason in _CODES
    return LedgerEntry(
        act_id=by.act_id,
        act=act,
        moment=view.moment,
        actor=by.actor or b"",
        subject_kind=kind,
        subject=subject,
        reason=by.reason if coded else "",
        details=tuple(sorted(told.items())),
        organisation=organisation_of_subject(view, kind, subject) or b"",
        words=(("reason", by.reason),) if by.reason and not coded else (),
        person=person_of_subject(view, kind, subject),
    )


def service_entry(act_id: ActId, act: str, moment: int, kind: str, subject: bytes, **details: str) -> LedgerEntry:
    """Return an entry of the service's own, for the whole community to read, for which no view is looked at."""
    return LedgerEntry(
        act_id=act_id,
        act=act,
        moment=moment,
        actor=b"",
        subject_kind=kind,
        subject=subject,
        details=tuple(sorted(details.items())),
        organisation=b"",
    )


def made_in(organisation: OrganisationId, entry: LedgerEntry, *words: tuple[str, str]) -> LedgerEntry:
    """Return the entry of an act that makes its subject, which belongs to *organisation*.

    :param words: what a person could be known by, by name: kept beside the entry.
    """
    return saying(msgspec.structs.replace(entry, organisation=organisation), *words)


def saying(entry: LedgerEntry, *words: tuple[str, str]) -> LedgerEntry:
    """Return the entry with *words* that a person could be known by, by name: kept beside it."""
    return msgspec.structs.replace(entry, words=(*words, *entry.words))


def check_text(text: str, what: str) -> str:
    """Return *text* without outer space.

    :raises BadValue: when it is empty, too long or holds control characters.
    """
    told = text.strip()
    if not told or len(told) > _LONGEST_TEXT or not told.isprintable():
        had = f", {quoted(told)} has {len(told):,}" if len(told) > _LONGEST_TEXT else ""
        cure = "shorten it" if had else "write it in one line of letters, digits and signs"
        raise BadValue(f"{what} needs 1 to {_LONGEST_TEXT} printable characters{had}", cure)
    return told


def check_line(text: str, what: str) -> str:
    """Return *text* without outer space, which may be empty.

    :raises BadValue: see :func:`check_text`.
    """
    return check_text(text, what) if text else text


def existing(view: View, account: AccountId) -> Account:
    """Return the account.

    :raises NotFound: when there is none.
    """
    found = view.account(account)
    if found is None:
        raise NotFound("there is no such user")
    return found


def check_not_deleted(account: Account) -> None:
    """Check that an account is not a deleted one.

    :raises Conflict: when it is.
    """
    if not takes_mail(account):
        raise Conflict("this user is deleted", f"have the user back first: cjsm user undelete {account.user_id}")


def check_owner_not_deleted(view: View, owner: Account | SharedMailbox) -> None:
    """The same for whose mailbox it is, somebody's or a shared one."""
    if isinstance(owner, Account):
        check_not_deleted(owner)
    elif not takes_mail(owner):
        cure = f"have it back first: cjsm shared undelete {primary_address(view, owner.id)}"
        raise Conflict(f"the shared mailbox {owner.slug} is deleted", cure)


def operators(by: By, what: str) -> Permission:
    """Return the permission to do what is the operator's alone, without break-glass.

    :param what: what is theirs, for whoever else asks: ``"the service's own work is"``.
    :raises NotAllowed: for anybody else.
    """
    if by.actor is not OPERATOR:
        raise NotAllowed(f"{what} the operator's", "do it without --as, on the server")
    return Permission(True, "local operator on the server")


def changed(record: Versioned, **changes: object) -> Versioned:
    """Return the record with *changes* and the next version, so that sessions, caches and queues notice."""
    return msgspec.structs.replace(record, version=record.version + 1, **changes)
