"""The directory at one change number: every entry in tree order, immutable, swapped as a whole.

An entry is known by its position. Positions are in tree order, so that an entry with all below it is one range; the
community's own tree comes first, then the same people in one flat context.
"""

from collections.abc import Generator, Iterable, Sequence
from types import MappingProxyType

from cjsm.community.identifiers import AccountId, OrganisationId
from cjsm.community.records import Organisation, RoleAssignment
from cjsm.directory import entries, names, visibility
from cjsm.directory.branches import Branch, Census, roles_by_account
from cjsm.directory.entries import PEOPLE, Entry, Facts, Place
from cjsm.directory.schema import Schema
from cjsm.directory.visibility import OrganisationOrder


class Catalogue:
    """Entries by position, and what finds them.

    :ivar number: the community's change sequence number it was made at.
    :ivar base: the distinguished name of the community's own tree.
    :ivar entries: every entry, in tree order.
    :ivar parents: for each position that of the entry above, -1 for the two contexts.
    :ivar ends: for each position the first one after it and all below it.
    :ivar children: for each position those directly below it.
    :ivar order: the organisations' numbers.
    """

    def __init__(self, number: int, suffix: str, schema: Schema) -> None:
        self.number = number
        self.base = names.of_suffix(suffix)
        self.schema = schema
        self.entries: list[Entry] = []
        self.parents: list[int] = []
        self.ends: list[int] = []
        self.children: list[Sequence[int]] = []
        self.order = OrganisationOrder()
        self._positions: dict[names.Name, int] = {}
        self._people: dict[AccountId, int] = {}
        self._accounts: dict[int, AccountId] = {}
        self._user_ids: dict[AccountId, str] = {}
        self._homes: dict[AccountId, OrganisationId] = {}
        self._roles: MappingProxyType[AccountId, tuple[RoleAssignment, ...]] = MappingProxyType({})

    def position(self, name: names.Name) -> int | None:
        """Return where the entry with this distinguished name is."""
        return self._positions.get(name)

    def position_of(self, account: AccountId) -> int | None:
        """Return where the entry of *account* in the community's own tree is."""
        return self._people.get(account)

    def user_id(self, name: names.Name) -> str | None:
        """Return the user ID of the account whose entry, in either context, has this distinguished name."""
        position = self._positions.get(name)
        account = self._accounts.get(position) if position is not None else None
        return self._user_ids[account] if account is not None else None

    def organisation_of(self, account: AccountId) -> OrganisationId | None:
        """Return the organisation that *account* is in."""
        return self._homes.get(account)

    def roles_of(self, account: AccountId) -> tuple[RoleAssignment, ...]:
        """Return the role assignments of *account*."""
        return self._roles.get(account, ())


def build(census: Census, schema: Schema) -> Catalogue:
    """Return the catalogue of *census*, made at once."""
    making = building(census, schema)
    while True:
        try:
            next(making)
        except StopIteration as done:
            catalogue: Catalogue = done.value
            return catalogue


def building(census: Census, schema: Schema) -> Generator[None, None, Catalogue]:
    """Make the catalogue of *census* in small steps; the generator returns it."""
    catalogue = Catalogue(census.number, census.suffix, schema)
    catalogue._roles = MappingProxyType(roles_by_account(census))
    builder = _Builder(catalogue, schema, census)
    yield from builder.own_tree()
    yield from builder.people()
    return catalogue


class _Builder:
    """Fills one catalogue, which nobody else has yet."""

    def __init__(self, catalogue: Catalogue, schema: Schema, census: Census) -> None:
        self._catalogue = catalogue
        self._schema = schema
        self._census = census
        self._below: dict[OrganisationId | None, list[Branch]] = {}
        self._flat: list[tuple[str, AccountId, Entry]] = []
        for branch in census.branches:
            self._below.setdefault(branch.organisation.parent, []).append(branch)

    def own_tree(self) -> Generator[None, None, None]:
        suffix = self._census.suffix
        label = suffix.partition(".")[0]
        classes = {"objectClass": ("top", "domain"), "dc": (label,), "description": (f"community {suffix}",)}
        base = self._catalogue.base
        root = self._add_context(base, entries.facts(self._schema, classes), "domain")
        tops = yield from self._branches(None, Place(base), root, visibility.LISTED, None)
        self._close(root, tops)

    def people(self) -> Generator[None, None, None]:
        classes = {"objectClass": ("top", "organization"), "o": ("people",), "description": ("everybody, in one list",)}
        root = self._add_context(PEOPLE, entries.facts(self._schema, classes), "organization")
        children = []
        for user_id, account, entry in sorted(self._flat, key=lambda found: found[0]):
            dn = f"{names.relative('uid', user_id)},{PEOPLE}"
            identity = entries.identity(account, PEOPLE)
            copied = self._copy(entry, dn, str(identity))
            children.append(self._add(copied, root))
            self._catalogue._accounts[children[-1]] = account
            yield
        self._close(root, children)

    def _branches(
        self, parent: OrganisationId | None, place: Place, above: int, needs: int, top: OrganisationId | None
    ) -> Generator[None, None, list[int]]:
        found = []
        for branch in sorted(self._below.get(parent, ()), key=lambda branch: branch.organisation.slug):
            found.append((yield from self._branch(branch, place, above, needs, top)))
        return found

    def _branch(
        self, branch: Branch, place: Place, above: int, needs: int, top: OrganisationId | None
    ) -> Generator[None, None, int]:
        organisation = branch.organisation
        needs = visibility.needs_of_organisation(organisation, needs)
        here = Place(entries.organisation_dn(organisation, place.dn, top=top is None), (*place.path, organisation.name))
        top = top or organisation.id
        number = self._catalogue.order.add(organisation.id, top)
        position = self._add(self._organisation(organisation, here, number, needs), above)
        children = yield from self._within(branch, here, position, number, needs)
        children += yield from self._branches(organisation.id, here, position, needs, top)
        self._close(position, children)
        self._catalogue.order.close(organisation.id)
        return position

    def _organisation(self, organisation: Organisation, place: Place, number: int, needs: int) -> Entry:
        structural = "organization" if len(place.path) == 1 else "organizationalUnit"
        return Entry(
            dn=place.dn,
            facts=entries.organisation_facts(self._schema, organisation, place),
            own=self._own(place.dn, organisation.id, structural, organisation.created),
            organisation=number,
            needs=needs,
        )

    def _within(
        self, branch: Branch, place: Place, above: int, number: int, needs: int
    ) -> Generator[None, None, list[int]]:
        children = []
        for account, addresses in sorted(branch.accounts, key=lambda pair: pair[0].user_id):
            dn = self._free("uid", account.user_id.partition("@")[0], account.user_id, place.dn)
            entry = Entry(
                dn=dn,
                facts=entries.person_facts(self._schema, account, place, addresses),
                own=self._own(dn, account.id, "inetOrgPerson", account.created, account.state_since),
                organisation=number,
                needs=visibility.needs_of_account(account, needs),
                person=True,
            )
            children.append(self._add(entry, above))
            self._know(account.id, children[-1], account.user_id, branch.organisation.id, entry)
            yield
        children += yield from self._functions(branch, place, above, number, needs)
        return children

    def _functions(
        self, branch: Branch, place: Place, above: int, number: int, needs: int
    ) -> Generator[None, None, list[int]]:
        children = []
        made: list[tuple[str, bytes, str, Facts, int, int]] = []
        for shared, addresses in branch.shared_mailboxes:
            said = entries.shared_mailbox_facts(self._schema, shared, place, addresses)
            seen = visibility.needs_of_function(shared, needs)
            made.append((shared.slug, shared.id, "inetOrgPerson", said, seen, shared.created))
        for found, addresses in branch.lists:
            said = entries.list_facts(self._schema, found, place, addresses)
            seen = visibility.needs_of_function(found, needs)
            made.append((found.slug, found.id, "cjsmDistributionList", said, seen, found.created))
        for slug, record, structural, said, seen, created in sorted(made, key=lambda item: item[:2]):
            dn = self._free("cn", slug, f"{slug}-{record.hex()[:8]}", place.dn)
            own = self._own(dn, record, structural, created)
            children.append(self._add(Entry(dn=dn, facts=said, own=own, organisation=number, needs=seen), above))
            yield
        return children

    def _know(self, account: AccountId, position: int, user_id: str, home: OrganisationId, entry: Entry) -> None:
        catalogue = self._catalogue
        catalogue._people[account] = position
        catalogue._accounts[position] = account
        catalogue._user_ids[account] = user_id
        catalogue._homes[account] = home
        self._flat.append((user_id, account, entry))

    def _free(self, kind: str, short: str, whole: str, above: str) -> str:
        """Name an entry shortly; where a sibling has that name already, by what nobody else has."""
        dn = f"{names.relative(kind, short)},{above}"
        taken = self._catalogue.position(names.parse(dn)) is not None
        return f"{names.relative(kind, whole)},{above}" if taken else dn

    def _own(self, dn: str, record: bytes, structural: str, created: int, changed: int = 0) -> Facts:
        return entries.own_facts(
            self._schema, dn, entries.identity(record), structural, created=created, changed=changed
        )

    def _copy(self, entry: Entry, dn: str, identity: str) -> Entry:
        changed = {"entryUUID": (identity,), "entryDN": (dn,)}
        kept = {key: value for key, value in entry.own.values.items() if key not in ("entryuuid", "entrydn")}
        own = entries.facts(self._schema, {**kept, **changed})
        return Entry(dn=dn, facts=entry.facts, own=own, organisation=entry.organisation, needs=entry.needs, person=True)

    def _add_context(self, dn: str, said: Facts, structural: str) -> int:
        identity = entries.identity(bytes(16), dn)
        own = entries.own_facts(self._schema, dn, identity, structural, created=0, changed=0)
        return self._add(Entry(dn=dn, facts=said, own=own, needs=visibility.LISTED), -1)

    def _add(self, entry: Entry, above: int) -> int:
        catalogue = self._catalogue
        position = len(catalogue.entries)
        catalogue.entries.append(entry)
        catalogue.parents.append(above)
        catalogue.ends.append(position + 1)
        catalogue.children.append(())
        catalogue._positions[names.parse(entry.dn)] = position
        return position

    def _close(self, position: int, children: Iterable[int]) -> None:
        self._catalogue.children[position] = tuple(children)
        self._catalogue.ends[position] = len(self._catalogue.entries)
