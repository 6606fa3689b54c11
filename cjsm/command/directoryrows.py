"""Rows of an import against the community: what each would do, or in which column it is wrong."""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from cjsm.access.enrolment import Enrolment
from cjsm.community import authority, finding
from cjsm.community.acts import accounts, profiles
from cjsm.community.acts.acting import By
from cjsm.community.address import Address, UserId, name_from, numbered
from cjsm.community.authority import Action, may
from cjsm.community.errors import BadValue, CommunityError, Exists, NotAllowed, NotFound
from cjsm.community.identifiers import AccountId, OrganisationId
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


class _Wrong(Exception):
    def __init__(self, *problems: Problem) -> None:
        super().__init__()
        self.problems = problems


class Planner:
    """Plans rows, one after the other; none sees what those before it do but for what they take.

    :param clear: an empty cell takes the value away; otherwise it leaves what there is.
    :param organisation: the path of the organisation of new members whose row names none.
    """

    def __init__(self, enrolment: Enrolment, by: Callable[[], By], *, clear: bool, organisation: str | None) -> None:
        self._enrolment = enrolment
        self._by = by
        self._clear = clear
        self._organisation = organisation
        self._lines: dict[bytes | str, int] = {}
        self._user_ids: set[str] = set()

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
                raise _Wrong(*row.problems)
            address = _address(written)
            return self._plan(view, row, address)
        except _Wrong as wrong:
            return Planned(row=row, result="refused", address=written, problems=wrong.problems)

    def _plan(self, view: View, row: Row, address: Address) -> Planned:
        record = view.reserved_address(str(address))
        if record is None:
            self._once(row, str(address), "address")
            return self._new(view, row, address)
        account = view.account(AccountId(record.owner)) if record.owner_kind is OwnerKind.ACCOUNT else None
        if account is None:
            kinds = {OwnerKind.ACCOUNT: "somebody who is no more: it is still reserved"}
            raise _Wrong(
                Problem(ADDRESS, f"this is the address of {kinds.get(record.owner_kind, f'a {record.owner_kind}')}")
            )
        permission = may(view, self._by().actor, Action.MANAGE_USERS, account.organisation, account=account.id)
        if not permission.allowed:
            raise _Wrong(Problem(ORGANISATION, permission.reason, permission.cure))
        self._once(row, account.id, "user")
        return self._known(view, row, address, account)

    def _once(self, row: Row, key: bytes | str, what: str) -> None:
        """Each person is in one row."""
        before = self._lines.setdefault(key, row.number)
        if before != row.number:
            raise _Wrong(Problem(ADDRESS, f"this is the {what} of line {before} too"))

    # Somebody who is a member

    def _known(self, view: View, row: Row, address: Address, account: Account) -> Planned:
        problems = list(self._elsewhere(view, row, account))
        values, wrong = self._values(row, account.profile)
        if problems or wrong:
            raise _Wrong(*problems, *wrong)
        fields = profiles.different(account, profiles.with_values(account.profile, values))
        identifier = account.id
        status = row.values.get(STATUS, "")
        is_other = bool(status) and status != display_name(account, view.moment)
        planned = Planned(
            row=row,
            result="changed" if fields else "unchanged",
            address=str(address),
            user_id=account.user_id,
            changed=tuple(_TITLES[field] for field in fields),
            decide=(lambda view, by: profiles.change(view, by, identifier, values)) if fields else None,
            notes=(f"the status is {display_name(account, view.moment)}: an import changes none",) if is_other else (),
        )
        return planned

    def _elsewhere(self, view: View, row: Row, account: Account) -> "list[Problem]":
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
        place = self._place(view, row)
        empty = Profile(first_name="", last_name="")
        values, problems = self._values(row, empty)
        problems += [
            Problem(_TITLES[field], "a new member needs it")
            for field in profiles.NEEDED
            if not values.get(field) and not any(each.column == _TITLES[field] for each in problems)
        ]
        if problems:
            raise _Wrong(*problems)
        profile = profiles.with_values(empty, values)
        _check_relayed(view, address)
        user_id = self._user_id(view, row, place, profile, address)
        account = self._enrolment.new_relayed(place, user_id, profile)

        def decide(view: View, by: By) -> Change:
            return accounts.add_relayed(view, by, account, address)

        return Planned(row=row, result="made", address=str(address), user_id=user_id, decide=decide, account=account)

    def _place(self, view: View, row: Row) -> OrganisationId:
        path = row.values.get(ORGANISATION) or self._organisation
        if not path:
            raise _Wrong(Problem(ORGANISATION, "a new member needs one", "name it by its path, or with --organisation"))
        try:
            place = finding.organisation_of(view, path).id
            authority.require(may(view, self._by().actor, Action.MANAGE_USERS, place))
        except (NotFound, NotAllowed) as error:
            raise _Wrong(Problem(ORGANISATION, str(error), error.cure)) from None
        return place

    def _user_id(self, view: View, row: Row, place: OrganisationId, profile: Profile, address: Address) -> str:
        """Return the user ID that the row gives, or one made of the names, or else of the address."""
        given = row.values.get(USER_ID, "").lower()
        try:
            abbreviation = finding.abbreviation_for(view, place)
            if given:
                return self._take(view, str(UserId.parse(given)))
            try:
                name = name_from(profile.first_name, profile.last_name)
            except BadValue:
                name = UserId.parse(f"{address.local}@{abbreviation}").name
            for number in range(1, 10_000):
                made = f"{numbered(name, number)}@{abbreviation}"
                if self._is_free(view, made):
                    return self._take(view, made)
            raise Exists(f"every form of {name} is taken", "give one in a column User ID")
        except CommunityError as error:
            raise _Wrong(Problem(USER_ID, str(error), error.cure)) from None

    def _take(self, view: View, user_id: str) -> str:
        if not self._is_free(view, user_id):
            raise Exists(f"the user ID {user_id} is taken", "give another one in a column User ID")
        self._user_ids.add(user_id)
        return user_id

    def _is_free(self, view: View, user_id: str) -> bool:
        hosted = str(UserId.parse(user_id).address(view.suffix))
        known = view.account_of_user_id(user_id) is not None or view.reserved_address(hosted) is not None
        return user_id not in self._user_ids and not known


def _address(written: str) -> Address:
    if not written:
        raise _Wrong(Problem(ADDRESS, "people are known by it: it may not be empty"))
    try:
        return Address.parse(written)
    except BadValue as error:
        raise _Wrong(Problem(ADDRESS, str(error), error.cure)) from None


def _check_relayed(view: View, address: Address) -> None:
    """Refuse a new member whose mail would be kept here, or who is outside."""
    if not address.has_suffix(view.suffix):
        cure = f"addresses end in .{view.suffix} here: {address}.{view.suffix}"
        raise _Wrong(Problem(ADDRESS, "this is no address of the community", cure))
    if view.domain(address.domain) is None:
        cure = (
            "who has the mail here is added with `cjsm user add`; else approve the domain: `cjsm connection domain add`"
        )
        raise _Wrong(Problem(ADDRESS, f"{address.domain} is no domain of an organisation's own mail system", cure))


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
        "problems": [
            {"column": each.column or None, "problem": each.problem, "cure": each.cure or None}
            for each in planned.problems
        ],
        "notes": list(planned.notes),
    }
