"""Rows of `cjsm user import` against the community: whom each would make, or in which column it is wrong."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct

from cjsm.access.enrolment import Enrolment
from cjsm.command.directoryrows import Planned
from cjsm.command.newmembers import NewMembers, Wrong
from cjsm.community import states
from cjsm.community.acts import accounts, profiles
from cjsm.community.acts.acting import By
from cjsm.community.acts.moving import subtree
from cjsm.community.acts.persons import checked_email
from cjsm.community.address import Address, hosted_domain
from cjsm.community.errors import BadValue, CommunityError
from cjsm.community.finding import abbreviation_for
from cjsm.community.identifiers import OrganisationId
from cjsm.community.records import Account, AccountKind, Life, Profile
from cjsm.community.view import Change, View
from cjsm.directory.fields import ADDRESS, COLUMNS, ORGANISATION
from cjsm.directory.forms.csvfile import RESULTS, USER_ID
from cjsm.directory.forms.csvreading import Table
from cjsm.directory.forms.rows import Problem, Row

TYPE, ORDINARY = "Type", "Ordinary Email"
FIRST, LAST = "Firstname", "Lastname"
#: What rows have, and the results before what became of each.
TITLES = (TYPE, FIRST, LAST, ORDINARY, *(each.title for each in COLUMNS if each.title not in (FIRST, LAST)))
TABLE = Table(
    titles=(*TITLES, *RESULTS),
    needed=(TYPE, FIRST, LAST, ORDINARY),
    why="each row has type, names and the ordinary email, by which a person is known",
    setting="imports.users",
    also={"first": FIRST, "last": LAST, "email": ORDINARY, "surname": LAST},
    told=len(TITLES),
)
_KINDS: Mapping[str, AccountKind] = {
    "m": AccountKind.HOSTED,
    "mailbox": AccountKind.HOSTED,
    "s": AccountKind.RELAYED,
    "server": AccountKind.RELAYED,
}
_FIELDS = {each.title: each.profile for each in COLUMNS if each.profile}

MADE, THERE = "made", "there already"


class _Person(Struct, frozen=True):
    """Somebody who is there already."""

    user_id: str
    life: Life


class UserPlanner:
    """Plans rows, one after the other. A person is known by the ordinary email, in one top organisation.

    :param by: who acts, anew each time.
    :param organisation: the path of the organisation of those whose row names none.
    :param quota: octets of each mailbox that is made.
    """

    def __init__(
        self, enrolment: Enrolment, by: Callable[[], By], rows: Sequence[Row], *, organisation: str | None, quota: int
    ) -> None:
        self._enrolment = enrolment
        self._new_members = NewMembers(by, organisation)
        self._quota = quota
        self._wanted = {row.values.get(ORDINARY, "").lower() for row in rows}
        self._there: dict[OrganisationId, dict[str, _Person]] = {}
        self._lines: dict[tuple[OrganisationId, str], int] = {}

    def plan_all(self, view: View, rows: Sequence[Row]) -> list[Planned]:
        """Return what becomes of *rows*."""
        return [self.plan(view, row) for row in rows]

    def plan(self, view: View, row: Row) -> Planned:
        """Return what becomes of *row*; what is wrong with it is told by column."""
        try:
            if row.problems:
                raise Wrong(*row.problems)
            return self._plan(view, row)
        except Wrong as wrong:
            return Planned(row=row, result="refused", problems=wrong.problems)

    def _plan(self, view: View, row: Row) -> Planned:
        kind, profile = _kind_and_profile(view, row)
        place = self._new_members.place(view, row)
        top = [*states.chain(view, place)][-1].id
        email = profile.ordinary_email.lower()
        if (top, email) in self._lines:
            raise Wrong(Problem(ORDINARY, f"this is the person of line {self._lines[top, email]} too"))
        planned = self._planned(view, row, kind, place, profile, self._people(view, top).get(email))
        self._lines[top, email] = row.number
        return planned

    def _planned(
        self, view: View, row: Row, kind: AccountKind, place: OrganisationId, profile: Profile, person: _Person | None
    ) -> Planned:
        if person is not None:
            return _there(row, person)
        account, address, decide = self._new(view, row, kind, place, profile)
        return Planned(
            row=row, result=MADE, address=str(address), user_id=account.user_id, decide=decide, account=account
        )

    def _people(self, view: View, top: OrganisationId) -> dict[str, _Person]:
        """Return who is there already in a top organisation, of those that rows name."""
        if top not in self._there:
            self._there[top] = {
                account.profile.ordinary_email.lower(): _Person(account.user_id, account.life)
                for place in subtree(view, top)
                for account in view.accounts_in(place.id)
                if account.profile.ordinary_email.lower() in self._wanted
            }
        return self._there[top]

    def _new(
        self, view: View, row: Row, kind: AccountKind, place: OrganisationId, profile: Profile
    ) -> tuple[Account, Address, Callable[[View, By], Change]]:
        written = row.values.get(ADDRESS, "")
        address = _address(view, written, kind, place) if written or kind is AccountKind.RELAYED else None
        if kind is AccountKind.RELAYED and address is not None:
            user_id = self._new_members.user_id(view, row, place, profile, address.local)
            member = self._enrolment.new_relayed(place, user_id, profile)
            return member, address, lambda view, by: accounts.add_relayed(view, by, member, address)
        if address is not None:
            row = _with_user_id(row, f"{address.local}@{abbreviation_for(view, place)}")
        user_id = self._new_members.user_id(view, row, place, profile, profile.ordinary_email.partition("@")[0])
        person = self._enrolment.new_hosted(place, user_id, profile, self._quota)
        return person, _hosted(view, user_id), lambda view, by: accounts.add_hosted(view, by, person)


def _hosted(view: View, user_id: str) -> Address:
    name, _, abbreviation = user_id.partition("@")
    return Address(name, hosted_domain(abbreviation, view.suffix))


def _there(row: Row, person: _Person) -> Planned:
    if person.life is Life.DELETED:
        cure = f"have them back: cjsm user undelete {person.user_id}; or take the row out until they are destroyed"
        raise Wrong(Problem(ORDINARY, f"this person is here, deleted, as {person.user_id}", cure))
    return Planned(row=row, result=THERE, user_id=person.user_id)


def _kind_and_profile(view: View, row: Row) -> tuple[AccountKind, Profile]:
    problems = list(_missing(row))
    kind = _KINDS.get(row.values.get(TYPE, "").lower())
    if kind is None and row.values.get(TYPE):
        problems.append(
            Problem(TYPE, f"{row.values[TYPE][:40]!r} is no type", "write M for a mailbox here, S for a server")
        )
    values: dict[str, str] = {}
    for title, value in row.values.items():
        try:
            if title == ORDINARY and value:
                values["ordinary_email"] = checked_email(view, value)
            elif title in _FIELDS and value:
                values[_FIELDS[title]] = profiles.checked(_FIELDS[title], value)
        except BadValue as error:
            problems.append(Problem(title, str(error), error.cure))
    if problems or kind is None:
        raise Wrong(*problems)
    return kind, Profile(**values)


def _missing(row: Row) -> Iterator[Problem]:
    for title in TABLE.needed:
        if not row.values.get(title):
            yield Problem(title, "this may not be empty")


def _address(view: View, written: str, kind: AccountKind, place: OrganisationId) -> Address:
    """Return the address that a row gives: in the organisation's hosted domain, or in a connection's."""
    if not written:
        cure = f"it is their address with .{view.suffix} behind it, in a domain of the organisation's own mail system"
        raise Wrong(Problem(ADDRESS, "somebody whose mail is kept at the organisation needs it", cure))
    try:
        address = Address.parse(written)
        if kind is AccountKind.HOSTED:
            domain = hosted_domain(abbreviation_for(view, place), view.suffix)
            if address.domain != domain:
                raise BadValue(f"mailboxes of that organisation have addresses in {domain}", "leave it empty")
        elif view.domain(address.domain) is None:
            cure = "write M for a mailbox here, or approve the domain: cjsm connection domain add"
            raise BadValue(f"{address.domain} is no domain of an organisation's own mail system", cure)
    except CommunityError as error:
        raise Wrong(Problem(ADDRESS, str(error), error.cure)) from None
    return address


def _with_user_id(row: Row, user_id: str) -> Row:
    given = row.values.get(USER_ID, "").lower()
    if given and given != user_id:
        raise Wrong(Problem(USER_ID, f"the address that the row gives belongs to {user_id}", "leave one of them empty"))
    return Row(number=row.number, values={**row.values, USER_ID: user_id})


def told(planned: Planned) -> Mapping[str, object]:
    """Return what became of a row, as a document: without the one-time password."""
    return {
        "line": planned.row.number,
        "result": planned.result,
        "user_id": planned.user_id or None,
        "address": planned.address or None,
        "organisation": planned.row.values.get(ORGANISATION) or None,
        "problems": planned.told(),
    }
