"""What whoever exports or applies a file looks at: a view, and what of it is theirs to see."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

from msgspec import UNSET, UnsetType

from cjsm.community import finding
from cjsm.community.acts.acting import check_text
from cjsm.community.acts.quotas import QuotaLimits
from cjsm.community.authority import Action, may, require
from cjsm.community.desired.differences import at, place_of
from cjsm.community.desired.reading import organisation_path
from cjsm.community.desired.tables import Desired, ListTable, SharedTable
from cjsm.community.errors import BadValue, NotFound, quoted
from cjsm.community.identifiers import AccountId, Entropy, OrganisationId
from cjsm.community.records import Connection, MailList, Organisation, SharedMailbox
from cjsm.community.view import View

_NO_LIMITS = QuotaLimits(0, 0)
#: Stands for the whole community where a path is asked for.
EVERYTHING = "/"


class Seen:
    """A view as *actor* sees it (None: the local operator), beside the tables of a file.

    :param entropy: for the identifiers of what is new.
    :param prune: whether things that the file does not have are to be removed, of kinds that it has.
    :param reserved_for: seconds for which the address of a deleted list is nobody's.
    :param quotas: how much the capacity of a mailbox may be.
    """

    def __init__(
        self,
        view: View,
        actor: AccountId | None,
        desired: Desired,
        entropy: Entropy,
        *,
        prune: bool = False,
        reserved_for: int = 0,
        quotas: QuotaLimits = _NO_LIMITS,
    ) -> None:
        self.view = view
        self.actor = actor
        self.desired = desired
        self.entropy = entropy
        self.prune = prune
        self.reserved_for = reserved_for
        self.quotas = quotas
        self._known: dict[str, Organisation | None] = {}
        self._paths: dict[OrganisationId | None, str] = {}
        self._allowed: dict[tuple[Action, OrganisationId | None], bool] = {}

    def sees(self, action: Action, organisation: OrganisationId | None) -> bool:
        """Whether whoever looks may do *action* there."""
        key = (action, organisation)
        if key not in self._allowed:
            self._allowed[key] = may(self.view, self.actor, action, organisation).allowed
        return self._allowed[key]

    def require(self, action: Action, organisation: OrganisationId | None) -> None:
        """:raises NotAllowed: when they may not."""
        if not self.sees(action, organisation):
            require(may(self.view, self.actor, action, organisation))

    @cached_property
    def older_connections(self) -> dict[str, Connection]:
        """Connections that are older than short names, by their identifier, under which they are exported."""
        return {finding.name_of(each): each for each in self.view.connections() if not each.slug}

    @cached_property
    def _tables(self) -> dict[OrganisationId, str]:
        """The path of each organisation that has a table in the file."""
        found: dict[OrganisationId, str] = {}
        for path in self.desired.organisation:
            organisation = self.organisation(path)
            if organisation is not None:
                other = found.setdefault(organisation.id, path)
                if other != path:
                    raise BadValue(f"{place_of('organisation', path)}: this is the one at {other} too", "correct was")
        return found

    @cached_property
    def _renamed(self) -> dict[str, str]:
        """The short names that connections had, with those that they get."""
        tables = self.desired.connection.items()
        return {table.was.lower(): slug for slug, table in tables if table.was is not UNSET}

    def connection_name(self, connection: Connection) -> str:
        """Return what a connection is called, or will be when the file gives it another short name."""
        name = finding.name_of(connection)
        following = self._renamed.get(name)
        if following is None or self.view.connection_of_slug(following) is not None:
            return name
        return following

    def path(self, organisation: OrganisationId) -> str:
        """Return where an organisation is, or will be when the file moves it or one above it.

        :raises BadValue: when two tables are about one.
        """
        if organisation not in self._paths and organisation in self._tables:
            self._paths[organisation] = self._tables[organisation]
        if organisation not in self._paths:
            found = self.view.organisation(organisation)
            assert found is not None, "what is in an organisation names one"
            above = f"{self.path(found.parent)}/" if found.parent is not None else ""
            self._paths[organisation] = f"{above}{found.slug}"
        return self._paths[organisation]

    def organisation(self, path: str) -> Organisation | None:
        """Return the organisation that *path* stands for, moved ones where they are before; None for a new one."""
        if path not in self._known:
            self._known[path] = self._find(path)
        return self._known[path]

    def _find(self, path: str) -> Organisation | None:
        above, _, slug = path.rpartition("/")
        parent = self.organisation(above) if above else None
        if parent is not None or not above:
            found = self.view.organisation_below(parent.id if parent is not None else None, slug)
            if found is not None:
                return found
        table = self.desired.organisation.get(path)
        return self._before(table.was) if table is not None and table.was is not UNSET else None

    def _before(self, was: str) -> Organisation | None:
        try:
            return finding.organisation_of(self.view, was)
        except NotFound:
            return None

    def has_table(self, organisation: OrganisationId) -> bool:
        """Whether the file has a table of an organisation, which has it back where it is deleted."""
        return organisation in self._tables

    def check_tables(self) -> None:
        """:raises BadValue: when two tables of organisations are about one."""
        len(self._tables)

    def place(self, written: str) -> str:
        """Return the path in its one form of an organisation that there is, or will be.

        :raises NotFound: when there is none.
        """
        path = organisation_path(written)
        if path in self.desired.organisation:
            return path
        found = self.organisation(path)
        if found is None:
            raise NotFound(f"there is no organisation {quoted(path)}", "name one that there is, or add its table")
        if self.path(found.id) != path:
            raise NotFound(f"the organisation {path!r} moves to {self.path(found.id)}", "name it there")
        return path

    def prunes(self, kind: str) -> bool:
        """Whether what the file does not have of a *kind* is to go."""
        return self.prune and bool(getattr(self.desired, kind))

    def going(self, kind: str, named: str, others: Iterable[MailList | SharedMailbox]) -> Iterator[tuple[str, str]]:
        """Yield the address of each list or shared mailbox that is to be deleted, and where the file says so.

        :param kind: of their tables, and *named* the key of ``[removed]``.
        :param others: those that go where what has no table is to go.
        :raises BadValue: when one has a table too.
        """
        tables, going = getattr(self.desired, kind), set(getattr(self.desired.removed, named))
        if self.prunes(kind):
            going |= {finding.primary_address(self.view, each.id) for each in others} - tables.keys()
        for address in sorted(going):
            where = f"[removed] {named}: {address}"
            if address in tables:
                raise BadValue(f"{where} has a table too", "leave one of them out")
            if self.view.address(address) is not None:
                yield address, where

    def user_ids(self, accounts: Iterable[AccountId]) -> tuple[str, ...]:
        """Return the user IDs of those of *accounts* that there are, in order."""
        found = (self.view.account(each) for each in accounts)
        return tuple(sorted(each.user_id for each in found if each is not None))

    def normal(self, table: ListTable | SharedTable) -> dict[str, Any]:
        """Return what lists and shared mailboxes both have, of what *table* mentions, as it is stored.

        :raises CommunityError: naming the key of what cannot be so.
        """
        values: dict[str, Any] = {}
        if table.organisation is not UNSET:
            values["organisation"] = self.place(table.organisation)
        if table.name is not UNSET:
            values["name"] = check_text(table.name, "name:")
        if table.managers is not UNSET:
            with at("managers"):
                managers = {finding.account_of(self.view, name).user_id for name in table.managers}
            values["managers"] = tuple(sorted(managers))
        return values


def needed(value: str | UnsetType, name: str) -> str:
    """Return a value that a new thing cannot be without.

    :raises BadValue: when it is not there.
    """
    if value is UNSET:
        raise BadValue(f"a new one needs {name}", f"write {name} = …, or correct the key where it is meant to be there")
    return value
