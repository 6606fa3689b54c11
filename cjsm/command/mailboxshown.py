"""How mailboxes are told of: what counts, what is kept, what it takes, and what is wrong."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cjsm.command.context import wait
from cjsm.command.output import when
from cjsm.community import finding, states
from cjsm.community.identifiers import MailboxId, OrganisationId, text
from cjsm.community.records import Account, SharedMailbox
from cjsm.community.view import View
from cjsm.store.errors import Quarantined, StoreError
from cjsm.suite import Suite

if TYPE_CHECKING:
    from cjsm.store.interfaces import MailboxStatus

_DAY = 86_400


class Shown:
    """Tells of mailboxes of *suite*."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite

    def every(self) -> Sequence[MailboxId]:
        """Return every mailbox: those that somebody has, and those of nobody that are on disk."""
        owned = self._suite.stores.community.read_now(_every)
        stored = wait(self._suite.stores.mail.mailboxes())
        return [*owned, *sorted({*stored} - {*owned})]

    def of_organisation(self, path: str) -> Sequence[MailboxId]:
        """Return the mailboxes of an organisation and those below it."""

        def look(view: View) -> list[MailboxId]:
            return _below(view, finding.organisation_of(view, path).id)

        return self._suite.stores.community.read_now(look)

    def row(self, mailbox: MailboxId) -> dict[str, Any]:
        """Return what a list says of a mailbox."""
        told = self._suite.stores.community.read_now(lambda view: self._owner(view, mailbox))
        status, state, problem = self._status(mailbox)
        if state == "sound" and not told["organisation"]:
            state, problem = "nobody's", ""
        if state == "sound" and self._suite.stores.community.is_noticed(mailbox):
            state, problem = "altered", "it is not what was written to it: cjsm mailbox verify"
        quota = told["quota"]
        percent = status.usage.octets * 100 // quota if status is not None and quota else None
        if state == "sound" and percent is not None and percent >= 100:
            state = "full"
        return {
            **told,
            "messages": status.usage.messages if status else None,
            "octets": status.usage.octets if status else None,
            "percent": percent,
            "deleted_messages": status.deleted.messages if status else None,
            "deleted_octets": status.deleted.octets if status else None,
            "full_since": when(status.full_since) if status else None,
            "disk_octets": status.disk_octets if status else None,
            "state": state,
            "problem": problem,
        }

    def whole(self, mailbox: MailboxId) -> dict[str, Any]:
        """Return all that an operator is told of a mailbox."""
        told = self.row(mailbox)
        told["waiting_octets"] = self._suite.stores.spool.waiting(mailbox)
        told["first_deleted_goes"] = None
        if told["deleted_messages"]:
            kept = self._suite.settings.mail.deleted_kept * _DAY
            told["first_deleted_goes"] = when(min(each.moment for each in self._deleted(mailbox)) + kept)
        told |= self._closed(mailbox)
        told["members"] = self._suite.stores.community.read_now(lambda view: _members(view, mailbox))
        return told

    def _closed(self, mailbox: MailboxId) -> dict[str, Any]:
        """Return what of a personal mailbox its owner cannot open, and what to do about it."""
        # Keys are looked at for one mailbox, in no list.
        from cjsm.access import keyring
        from cjsm.access.closed import closed_to_owner
        from cjsm.access.mailboxkeys import read_mailbox_keys

        stores = self._suite.stores
        owner = stores.community.read_now(lambda view: view.account_of_mailbox(mailbox))
        if owner is None or not owner.keys or not owner.mailbox_keys:
            return {}
        try:
            record = keyring.decode(stores.keys.get_now(owner.id, owner.keys), keyring.AccountKeys)
            closed = closed_to_owner(record, read_mailbox_keys(stores.keys, mailbox, owner.mailbox_keys))
            listed = wait(stores.mail.list(mailbox, as_it_is=True)).rows if closed.generations else ()
        except (StoreError, keyring.UnreadableKeys) as error:
            return {"closed_messages": None, "closed_octets": None, "closed_cure": str(error)}
        rows = [row for row in listed if row.generation in closed.generations]
        recoverable = any(row.generation in closed.recoverable for row in rows)
        cure = f"cjsm recovery request {owner.user_id}" if recoverable else "nobody can open it any more"
        return {
            "closed_messages": len(rows),
            "closed_octets": sum(row.octets for row in rows),
            "closed_cure": cure if rows else None,
        }

    def _deleted(self, mailbox: MailboxId) -> Sequence[Any]:
        return wait(self._suite.stores.mail.deleted(mailbox))

    def _status(self, mailbox: MailboxId) -> "tuple[MailboxStatus | None, str, str]":
        try:
            return wait(self._suite.stores.mail.status(mailbox)), "sound", ""
        except Quarantined as error:
            return None, "quarantine", str(error)
        except StoreError as error:
            return None, "damaged", str(error)

    def _owner(self, view: View, mailbox: MailboxId) -> dict[str, Any]:
        owner = finding.owner_of(view, mailbox)
        quota = (owner.quota or self._suite.settings.mail.quota) if owner is not None else None
        return {
            "name": finding.mailbox_name(view, mailbox),
            "mailbox": text(mailbox),
            "kind": _KINDS[type(owner)],
            "address": finding.primary_address(view, owner.id if owner is not None else mailbox),
            "organisation": finding.path_of(view, owner.organisation) if owner is not None else "",
            "owner_status": states.display_name(owner) if owner is not None else "",
            "quota": quota,
        }


_KINDS = {Account: "personal", SharedMailbox: "shared", type(None): "nobody's"}


def _every(view: View) -> list[MailboxId]:
    return [found for organisation in view.organisations() for found in _within(view, organisation.id)]


def _within(view: View, organisation: OrganisationId) -> list[MailboxId]:
    accounts = sorted(view.accounts_in(organisation), key=lambda account: account.user_id)
    owned = [account.mailbox for account in accounts if account.mailbox is not None]
    return [*owned, *(shared.id for shared in view.kept_shared_mailboxes_in(organisation))]


def _below(view: View, organisation: OrganisationId) -> list[MailboxId]:
    below = [found for child in view.children(organisation) for found in _below(view, child.id)]
    return [*_within(view, organisation), *below]


def _members(view: View, mailbox: MailboxId) -> list[str]:
    shared = view.kept_shared_mailbox(mailbox)
    accounts = [view.account(member.account) for member in shared.members] if shared is not None else []
    return [account.user_id for account in accounts if account is not None]
