"""Keys begun anew: a person's by a reset, a mailbox's by a rotation. The records name what was written before."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from msgspec import Struct

from cjsm.community.acts.acting import By, changed, check_not_deleted, check_owner_not_deleted, entry_of, existing
from cjsm.community.acts.credentials import KeyStep, two_people
from cjsm.community.acts.reasons import check_reason
from cjsm.community.authority import Action, Permission, may, may_manage_members, require
from cjsm.community.errors import NotFound, Overtaken
from cjsm.community.finding import owner_of
from cjsm.community.identifiers import AccountId, MailboxId
from cjsm.community.records import Account, Credential, LedgerEntry, SharedMailbox
from cjsm.community.view import Change, View

#: What the service does by itself, as its settings say.
ITSELF = Permission(True, "the service itself")


class MailboxStep(Struct, frozen=True):
    """A new version of a mailbox's keys: ``written``, made from ``read``; ``generation`` is the newest in it.

    ``digest`` is that of its public key, in hexadecimal: the ledger has it.
    """

    mailbox: MailboxId
    read: int
    written: int
    generation: int
    digest: str


def mailbox_of(view: View, mailbox: MailboxId) -> Account | SharedMailbox:
    """Return whose mailbox it is.

    :raises NotFound: when it is nobody's.
    """
    found = owner_of(view, mailbox)
    if found is None:
        raise NotFound("there is no such mailbox")
    return found


def keys_of(owner: Account | SharedMailbox) -> tuple[int, int, int]:
    """Return the version of the mailbox's key record, its newest generation (0: not told) and when that was made."""
    if isinstance(owner, Account):
        return owner.mailbox_keys, owner.mailbox_generation, owner.mailbox_rotated or owner.created
    return owner.keys, owner.generation, owner.rotated or owner.created


Owner = TypeVar("Owner", Account, SharedMailbox)


def stepped(owner: Owner, step: MailboxStep, moment: int) -> Owner:
    """Return the owner's record as it names the new version of the mailbox's keys.

    :raises Overtaken: when another act came first: what it wrote would be lost.
    """
    read, generation, rotated = keys_of(owner)
    if read != step.read:
        raise Overtaken("this mailbox's keys were changed at the same moment", "try again")
    made = moment if step.generation > generation else rotated
    if isinstance(owner, Account):
        return changed(owner, mailbox_keys=step.written, mailbox_generation=step.generation, mailbox_rotated=made)
    return changed(owner, keys=step.written, generation=step.generation, rotated=made)


def with_step(view: View, step: MailboxStep) -> Account | SharedMailbox:
    """Return the record that :func:`stepped` makes of the mailbox's owner."""
    owner = mailbox_of(view, step.mailbox)
    if isinstance(owner, Account):
        return stepped(owner, step, view.moment)
    return stepped(owner, step, view.moment)


def reset_password(view: View, by: By, account: AccountId, keys: KeyStep, mailboxes: tuple[MailboxStep, ...]) -> Change:
    """Let a person begin anew with a one-time password; mail from now on is theirs, mail until now is closed.

    Needs a reason. Passwords, device passwords and the sessions they opened end; a second factor stays: taking that
    away is another act, and another person's: see :func:`~cjsm.community.acts.credentials.two_people`.

    :param mailboxes: the person's own, and the shared ones that they read.
    """
    found = existing(view, account)
    permission = require(may(view, by.actor, Action.RESET, found.organisation, account=account))
    check_reason(by.reason)
    check_not_deleted(found)
    two_people(by, found.factor_removed_by)
    if found.keys != keys.read:
        raise Overtaken("this user's passwords were changed at the same moment", "try again")
    made: Account = changed(
        found,
        keys=keys.written,
        credential=Credential.ONE_TIME,
        password_version=found.password_version + 1,
        device_passwords=(),
        reset_by=by.actor or b"",
    )
    put: list[Account | SharedMailbox] = []
    for step in mailboxes:
        if step.mailbox == made.mailbox:
            made = stepped(made, step, view.moment)
        else:
            put.append(with_step(view, step))
    told = {f"generation-{step.mailbox.hex()}": f"{step.generation} {step.digest}" for step in mailboxes}
    entry = entry_of(view, by, "password-reset", "account", account, permission, **told)
    return Change(put=(made, *put), entry=entry)


def rotate(view: View, by: By, step: MailboxStep) -> Change:
    """Begin a new generation of the keys of a mailbox that mail comes to."""
    owner = mailbox_of(view, step.mailbox)
    if isinstance(owner, SharedMailbox):
        permission = require(may_manage_members(view, by.actor, owner))
    else:
        permission = may(view, by.actor, Action.OWN_SECRETS, owner.organisation, account=owner.id)
        if not permission.allowed:
            permission = require(may(view, by.actor, Action.MANAGE_USERS, owner.organisation, account=owner.id))
    check_owner_not_deleted(view, owner)
    return Change(put=(with_step(view, step),), entry=_rotated(view, by, step, permission))


def rotate_by_itself(
    view: View, by: By, steps: Sequence[MailboxStep], made_before: Callable[[View, Account | SharedMailbox], int]
) -> Change:
    """Begin new generations of mailboxes whose newest was made before a moment: the service's own act, and one entry.

    What another act came before is left out.
    """

    def due(owner: Account | SharedMailbox) -> bool:
        return keys_of(owner)[2] < made_before(view, owner)

    taken = list(_still(view, steps, due))
    told = {f"generation-{step.mailbox.hex()}": f"{step.generation} {step.digest}" for step in taken}
    return _together(view, by, "keys-rotated", taken, told)


def drop_generations(view: View, by: By, steps: Sequence[tuple[MailboxStep, tuple[int, ...]]]) -> Change:
    """Name keys without generations that nothing is sealed to any more: the service's own act, and one entry.

    What another act came before is left out.
    """
    gone = {step.mailbox: generations for step, generations in steps}
    taken = list(_still(view, [step for step, _ in steps], lambda owner: True))
    told = {step.mailbox.hex(): " ".join(str(each) for each in gone[step.mailbox]) for step in taken}
    return _together(view, by, "generations-destroyed", taken, told)


def _still(
    view: View, steps: Sequence[MailboxStep], wanted: Callable[[Account | SharedMailbox], bool]
) -> Iterator[MailboxStep]:
    """Yield the steps that may be taken still."""
    for step in steps:
        owner = owner_of(view, step.mailbox)
        if owner is not None and keys_of(owner)[0] == step.read and wanted(owner):
            yield step


def _together(view: View, by: By, act: str, steps: Sequence[MailboxStep], told: dict[str, str]) -> Change:
    if not steps:
        return Change()
    put = tuple(with_step(view, step) for step in steps)
    return Change(put=put, entry=entry_of(view, by, act, "mailboxes", b"", ITSELF, **told))


def _rotated(view: View, by: By, step: MailboxStep, permission: Permission) -> LedgerEntry:
    told = {"generation": str(step.generation), "key": step.digest}
    return entry_of(view, by, "keys-rotated", "mailbox", step.mailbox, permission, **told)
