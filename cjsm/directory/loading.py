"""The first catalogue: the whole community read and listed, a slice of time after another."""

from collections.abc import Callable, Generator, Iterator
from typing import TypeVar

from cjsm.community.identifiers import AccountId, OrganisationId
from cjsm.community.records import AddressRecord, MailList, Organisation, RoleAssignment, SharedMailbox
from cjsm.community.view import View, address_delivers
from cjsm.directory import entries, listed, names, places
from cjsm.directory.catalogue import Catalogue
from cjsm.directory.drafting import Draft
from cjsm.directory.folding import fold
from cjsm.directory.indexing import in_order
from cjsm.directory.listed import ListedFunction
from cjsm.directory.schema import Schema

Made = TypeVar("Made")

#: A person as kept until there is a place: user ID, identity, packed record.
_Kept = tuple[str, bytes, bytes]


class Gathering:
    """Everything that is listed, read part by part; each part may be of a newer view."""

    def __init__(self) -> None:
        self.organisations: dict[OrganisationId, Organisation] = {}
        self.people: dict[OrganisationId, list[_Kept]] = {}
        self.functions: dict[OrganisationId, list[tuple[bytes, bool, ListedFunction]]] = {}
        self.roles: dict[AccountId, list[RoleAssignment]] = {}
        self.dated: dict[bytes, int] = {}
        self._after_organisation: OrganisationId | None = None
        self._after: AccountId | None = None
        self._waiting: list[OrganisationId | None] | None = None

    def __len__(self) -> int:
        return sum(map(len, self.people.values()))

    def read(self, view: View) -> Iterator[bool]:
        """Read on where reading was left; yields after each part, finally True when nothing is left."""
        if self._waiting is None:
            yield from self._read_organisations(view)
            yield from self._read_accounts(view)
            self._waiting = [None, *self.organisations]
        while self._waiting:
            self._read_rest(view, self._waiting[-1])
            self._waiting.pop()
            yield False
        yield True

    def _read_organisations(self, view: View) -> Iterator[bool]:
        for organisation in view.organisations(self._after_organisation):
            self.organisations[organisation.id] = organisation
            self._after_organisation = organisation.id
            yield False

    def _read_accounts(self, view: View) -> Iterator[bool]:
        for account in view.accounts(self._after):
            record = listed.of_account(account, delivering(view, account.id, self.dated))
            kept = (account.user_id, bytes(account.id), entries.pack(record))
            self.people.setdefault(account.organisation, []).append(kept)
            self._after = account.id
            yield False

    def _read_rest(self, view: View, identifier: OrganisationId | None) -> None:
        for assignment in view.roles_over(identifier):
            self.roles.setdefault(assignment.account, []).append(assignment)
        if identifier is None:
            return
        found: list[tuple[bytes, bool, ListedFunction]] = []
        functions: tuple[MailList | SharedMailbox, ...] = (
            *view.lists_in(identifier),
            *view.kept_shared_mailboxes_in(identifier),
        )
        for function in functions:
            record = listed.of_function(function, delivering(view, function.id, self.dated))
            found.append((bytes(function.id), isinstance(function, MailList), record))
        if found:
            self.functions[identifier] = found


def delivering(view: View, owner: bytes, dated: dict[bytes, int]) -> tuple[AddressRecord, ...]:
    """Return the addresses that still reach *owner*: who writes to a former one must not be led to it.

    When the first of them ends is noted in *dated*.
    """
    found = tuple(record for record in view.addresses_of(owner) if address_delivers(record, view.moment))
    ends = [record.delivers_until for record in found if record.delivers_until is not None]
    if ends:
        dated[owner] = min(ends)
    else:
        dated.pop(owner, None)
    return found


def listing(
    gathered: Gathering,
    *,
    number: int,
    suffix: str,
    schema: Schema,
    leave: Callable[[list[list[object]]], None] | None = None,
) -> Generator[None, None, Catalogue]:
    """Make the first catalogue of what was gathered, in small steps; the generator returns it."""
    draft = Draft(None, suffix=suffix, schema=schema)
    draft.organisations = gathered.organisations
    draft.roles = {account: tuple(roles) for account, roles in gathered.roles.items()}
    draft.dated = gathered.dated
    for found in places.arranged(draft.organisations.values(), names.of_suffix(suffix), draft.tree):
        draft.tree = found or draft.tree
        yield
    waiting = list(reversed(draft.tree.below.get(None, ())))
    while waiting:
        identifier = waiting.pop()
        draft.add_organisation(identifier)
        yield from _people(draft, identifier, gathered.people.pop(identifier, []))
        yield from _functions(draft, identifier, gathered.functions.pop(identifier, []))
        waiting += reversed(draft.tree.below.get(identifier, ()))
    return (yield from draft.finish(number, leave))


def _people(draft: Draft, home: OrganisationId, kept: list[_Kept]) -> Iterator[None]:
    kind, place, taken = draft.kinds.person, draft.tree.places[home], set[str]()
    for part in in_order([user_id for user_id, _, _ in kept]):
        for at in part:
            _, identity, packed = kept[at]
            record = kind.unpack(packed)
            assert isinstance(record, listed.ListedPerson)
            short = fold(record.short)
            draft.add_settled(entries.made(kind, place, identity, record, whole=short in taken, packed=packed))
            taken.add(short)
            yield
        yield


def _functions(draft: Draft, home: OrganisationId, found: list[tuple[bytes, bool, ListedFunction]]) -> Iterator[None]:
    place, taken = draft.tree.places[home], set[str]()
    for identity, is_list, record in sorted(found, key=lambda each: each[2].order(each[0])):
        kind = draft.kinds.mail_list if is_list else draft.kinds.shared_mailbox
        short = fold(record.short)
        draft.add_settled(entries.made(kind, place, identity, record, whole=short in taken))
        taken.add(short)
        yield


def load(view: View, schema: Schema) -> Catalogue:
    """Return the catalogue of *view*, made at once: for tests and small communities."""
    gathered = Gathering()
    for _ in gathered.read(view):
        pass
    catalogue = finished(listing(gathered, number=view.number, suffix=view.suffix, schema=schema))
    while (index := catalogue.blunt_index()) is not None:
        finished(index.sharpen())
    return catalogue


def finished(making: Generator[None, None, Made]) -> Made:
    """Return what *making* makes, without letting anybody else have a turn."""
    while True:
        try:
            next(making)
        except StopIteration as done:
            made: Made = done.value
            return made
