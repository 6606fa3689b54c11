"""Rows of an import against the community: what each would do, or in which column it is wrong."""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from cjsm.access.enrolment import Enrolment
from cjsm.command.newmembers import NewMembers, Wrong
from cjsm.community import finding
from cjsm.community.acts import accounts, profiles
from cjsm.community.acts.acting import By
from cjsm.community.address import Address
from cjsm.community.authority import Action, may
from cjsm.community.errors import BadValue, CommunityError, NotAllowed, NotFound
from cjsm.community.identifiers import AccountId
from cjsm.community.records import Account, OwnerKind, Profile
from cjsm.community.states import display_name
from cjsm.community.view import Change, View
from cjsm.directory.fields import ADDRESS, COLUMNS, ORGANISATION, REMOVED, STATUS
from cjsm.directory.forms.csvfile import USER_ID
from cjsm.directory.forms.rows import Problem, Row

_TITLES = {column.profile: column.title for column in COLUMNS if column.profile}


class Planned(Struct, kw_only=True):
    """What becomes of one row.

    :ivar result: ``made``, ``changed``, ``unchanged``, ``refused`` or ``left out``.
    :ivar decide: the act; None where nothing is to be done.
    :ivar account: a member who is made.
    :ivar changed: the columns that change.
    """

    row: Row
    result: str
    address: str = ""
    user_id: str = ""
    problems: tuple[Problem, ...] = ()
    changed: tuple[str, ...] = ()
    decide: Callable[[View, By], Change] | None = None
    account: Account | None = None
    one_time_password: str = ""
    notes: tuple[str, ...] = ()

    def refuse(self, *problems: Problem) -> None:
        """Nothing is done of it."""
        self.result, self.problems, self.decide = "refused", problems, None

    def in_words(self) -> str:
        """Return what is wrong, in a line."""
        return "; ".join(f"{each.column}: {each.problem}".removeprefix(": ") for each in self.problems)

    def told(self) -> list[dict[str, str | None]]:
        """Return what is wrong, for programs."""
        return [
            {"column": each.column or None, "problem": each.problem, "cure": each.cure or None}
            for each in self.problems
        ]


class Planner:
    """Plans rows, one after the other; none sees what those before it do but for what they take.

    :param clear: an empty cell takes the value away; otherwise it leaves what there is.
    :param organisation: the path of the organisation of new members whose row names none.
    """

    def __init__(self, enrolment: Enrolment, by: Callable[[], By], *, clear: bool, organisation: str | None) -> None:
        self._enrolment = enrolment
        self._by = by
        self._clear = clear
        self._lines: dict[bytes | str, int] = {}
        self._new_members = NewMembers(by, organisation)

    def plan_all(self, view: View, rows: Sequence[Row]) -> list[Planned]:
        """Return what becomes of *rows*."""
        return [self.plan(view, row) for row in rows]

    def plan(self, view: View, row: Row) -> Planned:
        """Return what becomes of *row*; what is wrong with it is told by column."""
        written = row.values.get(ADDRESS, "")
        if row.values.get(STATUS) == REMOVED:
            return Planned(row=row, result="left out", address=written)
        try:
            if row.problems:
                raise Wrong(*row.problems)
            address = _address(written)
            return self._plan(view, row, address)
        except Wrong as wrong:
            return Planned(row=row, result="refused", address=written, problems=wrong.problems)

    def _plan(self, view: View, row: Row, address: Address) -> Planned:
        record = view.reserved_address(str(address))
        if record is None:
            self._once(row, str(address), "address")
            return self._new(view, row, address)
        account = view.account(AccountId(record.owner)) if record.owner_kind is OwnerKind.ACCOUNT else None
        if account is None:
            kinds = {OwnerKind.ACCOUNT: "somebody who is no more: it is still reserved"}
            raise Wrong(
                Problem(ADDRESS, f"this is the address of {kinds.get(record.owner_kind, f'a {record.owner_kind}')}")
            )
        permission = may(view, self._by().actor, Action.MANAGE_USERS, account.organisation, account=account.id)
        if not permission.allowed:
            raise Wrong(Problem(ORGANISATION, permission.reason, permission.cure))
        self._once(row, account.id, "user")
        return self._known(view, row, address, account)

    def _once(self, row: Row, key: bytes | str, what: str) -> None:
        """Each person is in one row."""
        before = self._lines.setdefault(key, row.number)
        if before != row.number:
            raise Wrong(Problem(ADDRESS, f"this is the {what} of line {before} too"))

    # Somebody who is a member

    def _known(self, view: View, row: Row, address: Address, account: Account) -> Planned:
        problems = self._elsewhere(view, row, account)
        values, wrong = self._values(row, account.profile)
        if problems or wrong:
            raise Wrong(*problems, *wrong)
        fields = profiles.different(account, profiles.with_values(account.profile, values))
        identifier = account.id
        status = row.values.get(STATUS, "")
        is_other = bool(status) and status != display_name(account, view.moment)
        return Planned(
            row=row,
            result="changed" if fields else "unchanged",
            address=str(address),
            user_id=account.user_id,
            changed=tuple(_TITLES[field] for field in fields),
            decide=(lambda view, by: profiles.change(view, by, identifier, values)) if fields else None,
            notes=(f"the status is {display_name(account, view.moment)}: an import changes none",) if is_other else (),
        )

    def _elsewhere(self, view: View, row: Row, account: Account) -> list[Problem]:
        problems = []
        place = finding.path_of(view, account.organisation)
        if row.values.get(ORGANISATION) and row.values[ORGANISATION].strip("/").lower() != place:
            problems.append(Problem(ORGANISATION, f"this user is in {place}: an import moves nobody"))
        if row.values.get(USER_ID) and row.values[USER_ID].lower() != account.user_id:
            problems.append(Problem(USER_ID, f"this user is {account.user_id}: an import renames nobody"))
        return problems

    def _values(self, row: Row, before: Profile) -> tuple[dict[str, str], list[Problem]]:
        """Return what a row says of a profile's fields, and what is wrong with that."""
        values, problems = {}, []
        for column in COLUMNS:
            value = row.values.get(column.title)
            if not column.profile or value is None or (not value and not self._clear):
                continue
            try:
                values[column.profile] = profiles.checked(column.profile, value)
            except BadValue as error:
                problems.append(Problem(column.title, str(error), error.cure))
        # A file with the street in one line says nothing new where it is what the two lines make.
        lines = ", ".join(line for line in (before.address1, before.address2) if line)
        if row.street is not None and row.street != lines:
            values |= {"address1": row.street, "address2": ""}
        return values, problems

    # Somebody new

    def _new(self, view: View, row: Row, address: Address) -> Planned:
        place = self._new_members.place(view, row)
        empty = Profile(first_name="", last_name="")
        values, problems = self._values(row, empty)
        problems += [
            Problem(_TITLES[field], "a new member needs it")
            for field in profiles.NEEDED
            if not values.get(field) and not any(each.column == _TITLES[field] for each in problems)
        ]
        if problems:
            raise Wrong(*problems)
        profile = profiles.with_values(empty, values)
        _check_relayed(view, address)
        user_id = self._new_members.user_id(view, row, place, profile, address.local)
        account = self._enrolment.new_relayed(place, user_id, profile)

        def decide(view: View, by: By) -> Change:
            return accounts.add_relayed(view, by, account, address)

        return Planned(row=row, result="made", address=str(address), user_id=user_id, decide=decide, account=account)


def _address(written: str) -> Address:
    if not written:
        raise Wrong(Problem(ADDRESS, "people are known by it: it may not be empty"))
    try:
        return Address.parse(written)
    except BadValue as error:
        raise Wrong(Problem(ADDRESS, str(error), error.cure)) from None


def _check_relayed(view: View, address: Address) -> None:
    """Refuse a new member whose mail would be kept here, or who is outside."""
    if not address.has_suffix(view.suffix):
        cure = f"addresses end in .{view.suffix} here: {address}.{view.suffix}"
        raise Wrong(Problem(ADDRESS, "this is no address of the community", cure))
    if view.domain(address.domain) is None:
        cure = (
            "who has the mail here is added with `cjsm user add`; else approve the domain: `cjsm connection domain add`"
        )
        raise Wrong(Problem(ADDRESS, f"{address.domain} is no domain of an organisation's own mail system", cure))


def problem_of(error: CommunityError) -> Problem:
    """Return what an act said no to, by column."""
    column = ORGANISATION if isinstance(error, (NotAllowed, NotFound)) else ADDRESS
    return Problem(column, str(error), error.cure)


def told(planned: Planned) -> Mapping[str, object]:
    """Return what became of a row, as a document."""
    return {
        "line": planned.row.number,
        "address": planned.address,
        "user_id": planned.user_id or None,
        "result": planned.result,
        "changed": list(planned.changed),
        "problems": planned.told(),
        "notes": list(planned.notes),
    }
