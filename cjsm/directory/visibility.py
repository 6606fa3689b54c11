"""Who sees what: one byte per organisation and reader, compared with what an entry needs (ldap, "Who sees what").

A reader's *sight* has, for each organisation, the bits below. An entry is visible when its organisation's byte has one
of the bits in the entry's ``needs``; an attribute may be read and used in filters when it is public or the byte has its
class (:data:`cjsm.directory.schema.INTERNAL`, :data:`~cjsm.directory.schema.STATE`).
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from cjsm.community.identifiers import OrganisationId
from cjsm.community.records import (
    Account,
    Life,
    MailList,
    Organisation,
    OrganisationState,
    Role,
    RoleAssignment,
    SharedMailbox,
)
from cjsm.directory.schema import INTERNAL, STATE

#: What an entry may need: to be a member, to belong to the same top organisation, to administer or support it.
LISTED, UNLISTED, HIDDEN = 1, 2, 4

_MEMBER = LISTED
_COLLEAGUE = LISTED | UNLISTED | INTERNAL
_ADMINISTRATOR = LISTED | UNLISTED | HIDDEN | INTERNAL | STATE
_SUPPORT = LISTED | UNLISTED | HIDDEN | STATE

_GRANTS = {
    Role.COMMUNITY_ADMINISTRATOR: _ADMINISTRATOR,
    Role.ORGANISATION_ADMINISTRATOR: _ADMINISTRATOR,
    Role.HELPDESK: _SUPPORT,
    Role.ENGINEER: _SUPPORT,
}

#: The bits of a sight byte that are attribute classes.
ATTRIBUTES = INTERNAL | STATE


class Span(Struct, frozen=True):
    """Organisations *first* up to, not including, *end* of a :class:`OrganisationOrder`."""

    first: int
    end: int


class OrganisationOrder:
    """Organisations numbered in tree order from 1; 0 stands for the community itself.

    Each with all below it is one span.

    :ivar count: how many numbers there are.
    """

    def __init__(self) -> None:
        self.count = 1
        self._spans: dict[OrganisationId, Span] = {}
        self._tops: dict[OrganisationId, OrganisationId] = {}

    def add(self, identifier: OrganisationId, top: OrganisationId) -> int:
        """Number the next organisation in tree order; *top* is its top organisation, possibly itself."""
        number = self.count
        self.count += 1
        self._spans[identifier] = Span(number, self.count)
        self._tops[identifier] = top
        return number

    def close(self, identifier: OrganisationId) -> None:
        """Everything below *identifier* was added."""
        self._spans[identifier] = Span(self._spans[identifier].first, self.count)

    def span(self, identifier: OrganisationId | None) -> Span:
        """Return *identifier* and all below it; for None, everything; nothing for one that is not there."""
        if identifier is None:
            return Span(0, self.count)
        return self._spans.get(identifier, Span(0, 0))

    def top_span(self, identifier: OrganisationId) -> Span:
        """Return the top organisation of *identifier* and all below it."""
        return self.span(self._tops[identifier]) if identifier in self._tops else Span(0, 0)


def sight(order: OrganisationOrder, organisation: OrganisationId | None, roles: Iterable[RoleAssignment]) -> bytes:
    """Return what a member of *organisation* with *roles* sees: one byte for each organisation of *order*."""
    seen = bytearray((_MEMBER,)) * order.count
    if organisation is not None:
        _grant(seen, order.top_span(organisation), _COLLEAGUE)
    for assignment in roles:
        _grant(seen, order.span(assignment.organisation), _GRANTS.get(assignment.role, _MEMBER))
    return bytes(seen)


def has_charge(roles: Sequence[RoleAssignment]) -> bool:
    """Whether *roles* administer or support any organisation."""
    return any(assignment.role in _GRANTS for assignment in roles)


def _grant(seen: bytearray, span: Span, bits: int) -> None:
    piece = seen[span.first : span.end]
    seen[span.first : span.end] = piece.translate(bytes(byte | bits for byte in range(256)))


def needs_of_organisation(organisation: Organisation, above: int) -> int:
    """Return what it needs to see *organisation*, where the one above it needs *above*."""
    if organisation.state is not OrganisationState.ACTIVE or above == HIDDEN:
        return HIDDEN
    if organisation.ex_directory or organisation.protected or above == UNLISTED:
        return UNLISTED
    return LISTED


def needs_of_account(account: Account, above: int) -> int:
    """Return what it needs to see *account* in an organisation that needs *above*."""
    if account.life in (Life.SUSPENDED, Life.DELETED) or above == HIDDEN:
        return HIDDEN
    return UNLISTED if account.ex_directory else above


def needs_of_function(function: MailList | SharedMailbox, above: int) -> int:
    """Return what it needs to see a list or shared mailbox in an organisation that needs *above*."""
    return UNLISTED if function.ex_directory and above == LISTED else above
