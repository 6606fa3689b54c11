"""The next catalogue: what changed is read again and put into a draft of it."""

from collections.abc import Iterable, Iterator

from cjsm.community.identifiers import AccountId, ListId, MailboxId, OrganisationId, RoleAssignmentId
from cjsm.community.records import MailList
from cjsm.community.view import View
from cjsm.directory import entries, listed
from cjsm.directory.drafting import Draft
from cjsm.directory.loading import delivering

#: Kinds of record that are listed, as followers are told of them.
_ENTRIES = frozenset(("accounts", "lists", "shared"))
_KINDS = _ENTRIES | {"organisations", "addresses", "roles"}


def concerns(kind: str) -> bool:
    """Whether the directory shows anything of this *kind* of record."""
    return kind in _KINDS


class Renewal:
    """What changed, read part by part into *draft*; each part may be of a newer view.

    :param changes: (number, kind of record, its key).
    :param ended: owners of addresses whose dates have passed.
    """

    def __init__(self, draft: Draft, changes: Iterable[tuple[int, str, bytes]], ended: Iterable[bytes]) -> None:
        self.draft = draft
        self._organisations: dict[bytes, None] = {}
        self._entries: dict[bytes, None] = dict.fromkeys(ended)
        self._addresses: dict[bytes, None] = {}
        self._roles: dict[bytes, None] = {}
        for _, kind, key in changes:
            if kind in _ENTRIES:
                self._entries[key] = None
            elif kind == "organisations":
                self._organisations[key] = None
            elif kind == "addresses":
                self._addresses[key] = None
            elif kind == "roles":
                self._roles[key] = None
        self.rearranges = bool(self._organisations)

    def __len__(self) -> int:
        return len(self._entries) + len(self._addresses)

    def read_organisations(self, view: View) -> Iterator[bool]:
        """Read the organisations' records; the tree must then be arranged anew."""
        while self._organisations:
            identifier = OrganisationId(next(iter(self._organisations)))
            found = view.organisation(identifier)
            if found is not None:
                self.draft.organisations[identifier] = found
            else:
                self.draft.organisations.pop(identifier, None)
            del self._organisations[identifier]
            yield False
        yield True

    def read_within(self, organisations: Iterable[OrganisationId], view: View) -> None:
        """What stands in these organisations is read too: they were not there before."""
        for identifier in organisations:
            for found in (view.accounts_in, view.lists_in, view.kept_shared_mailboxes_in):
                self._entries.update(dict.fromkeys(bytes(record.id) for record in found(identifier)))
            self._roles.update(dict.fromkeys(bytes(role.id) for role in view.roles_over(identifier)))

    def read(self, view: View) -> Iterator[bool]:
        """Read all else on where it was left; yields after each part, finally True when nothing is left."""
        for waiting, one in (
            (self._addresses, self._address),
            (self._entries, self._entry),
            (self._roles, self._role),
        ):
            while waiting:
                key = next(iter(waiting))
                one(view, key)
                del waiting[key]
                yield False
        yield True

    def _address(self, view: View, key: bytes) -> None:
        address = key.decode()
        found = view.reserved_address(address)
        for owner in (self.draft.owner_of(address), found.owner if found is not None else None):
            if owner is not None:
                self._entries[owner] = None

    def _entry(self, view: View, key: bytes) -> None:
        draft, kinds = self.draft, self.draft.kinds
        account = view.account(AccountId(key))
        function = None if account else view.mail_list(ListId(key)) or view.kept_shared_mailbox(MailboxId(key))
        record = account or function
        place = draft.tree.places.get(record.organisation) if record is not None else None
        addresses = delivering(view, key, draft.dated) if place is not None else ()
        if place is None:
            draft.dated.pop(key, None)
            draft.drop(key)
        elif account is not None:
            draft.put(entries.made(kinds.person, place, key, listed.of_account(account, addresses)))
        elif function is not None:
            kind = kinds.mail_list if isinstance(function, MailList) else kinds.shared_mailbox
            draft.put(entries.made(kind, place, key, listed.of_function(function, addresses)))

    def _role(self, view: View, key: bytes) -> None:
        roles = self.draft.roles
        concerned = {account for account, held in roles.items() for each in held if each.id == key}
        found = view.role(RoleAssignmentId(key))
        if found is not None:
            concerned.add(found.account)
        for account in concerned:
            held = tuple(view.roles_of(account))
            if held:
                roles[account] = held
            else:
                roles.pop(account, None)
