"""Where new people of an import belong, and what they sign in with."""

from collections.abc import Callable

from cjsm.community import authority, finding
from cjsm.community.acts.acting import By
from cjsm.community.address import UserId, name_from, numbered
from cjsm.community.authority import Action, may
from cjsm.community.errors import BadValue, CommunityError, Exists, NotAllowed, NotFound
from cjsm.community.identifiers import OrganisationId
from cjsm.community.records import Profile
from cjsm.community.view import View
from cjsm.directory.fields import ORGANISATION
from cjsm.directory.forms.csvfile import USER_ID
from cjsm.directory.forms.rows import Problem, Row


class Wrong(Exception):
    """What is wrong with a row.

    :ivar problems: all of it, by column.
    """

    def __init__(self, *problems: Problem) -> None:
        super().__init__()
        self.problems = problems


class NewMembers:
    """Finds a place and a user ID for one new person after the other; a user ID is given once.

    :param by: who acts, anew each time.
    :param organisation: the path of the organisation of those whose row names none.
    """

    def __init__(self, by: Callable[[], By], organisation: str | None) -> None:
        self._by = by
        self._organisation = organisation
        self._user_ids: set[str] = set()

    def place(self, view: View, row: Row) -> OrganisationId:
        """Return the organisation of a row, in which whoever acts may add people.

        :raises Wrong: when there is none, or they may not.
        """
        path = row.values.get(ORGANISATION) or self._organisation
        if not path:
            raise Wrong(Problem(ORGANISATION, "a new member needs one", "name it by its path, or with --organisation"))
        try:
            place = finding.organisation_of(view, path).id
            authority.require(may(view, self._by().actor, Action.MANAGE_USERS, place))
        except (NotFound, NotAllowed) as error:
            raise Wrong(Problem(ORGANISATION, str(error), error.cure)) from None
        return place

    def user_id(self, view: View, row: Row, place: OrganisationId, profile: Profile, local: str) -> str:
        """Return the user ID that the row gives, or one made of the names, or else of *local*; it is taken from now on.

        :raises Wrong: when there is none that is free.
        """
        given = row.values.get(USER_ID, "").lower()
        try:
            abbreviation = finding.abbreviation_for(view, place)
            if given:
                return self._take(view, str(UserId.parse(given)))
            try:
                name = name_from(profile.first_name, profile.last_name)
            except BadValue:
                name = UserId.parse(f"{local}@{abbreviation}").name
            for number in range(1, 10_000):
                made = f"{numbered(name, number)}@{abbreviation}"
                if self._is_free(view, made):
                    return self._take(view, made)
            raise Exists(f"every form of {name} is taken", "give one in a column User ID")
        except CommunityError as error:
            raise Wrong(Problem(USER_ID, str(error), error.cure)) from None

    def _take(self, view: View, user_id: str) -> str:
        if not self._is_free(view, user_id):
            raise Exists(f"the user ID {user_id} is taken", "give another one in a column User ID")
        self._user_ids.add(user_id)
        return user_id

    def _is_free(self, view: View, user_id: str) -> bool:
        hosted = str(UserId.parse(user_id).address(view.suffix))
        known = view.account_of_user_id(user_id) is not None or view.reserved_address(hosted) is not None
        return user_id not in self._user_ids and not known
