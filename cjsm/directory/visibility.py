"""Who sees what: one byte per organisation and reader, compared with what an entry needs (ldap, "Who sees what").

A reader's *sight* has, for each organisation, the bits below. An entry is visible when its organisation's byte has one
of the bits in the entry's ``needs``; an attribute may be read and used in filters when it is public or the byte has its
class (:data:`cjsm.directory.schema.INTERNAL`, :data:`~cjsm.directory.schema.STATE`).
"""

from collections.abc import Sequence

from cjsm.community.records import Organisation, OrganisationState, Role, RoleAssignment
from cjsm.directory.schema import INTERNAL, STATE

#: What an entry may need: to be a member, to belong to the same top organisation, to administer or support it.
LISTED, UNLISTED, HIDDEN = 1, 2, 4

MEMBER = LISTED
COLLEAGUE = LISTED | UNLISTED | INTERNAL
_ADMINISTRATOR = LISTED | UNLISTED | HIDDEN | INTERNAL | STATE
_SUPPORT = LISTED | UNLISTED | HIDDEN | STATE

#: What a role lets its holder see of the organisations that it covers.
GRANTS = {
    Role.COMMUNITY_ADMINISTRATOR: _ADMINISTRATOR,
    Role.ORGANISATION_ADMINISTRATOR: _ADMINISTRATOR,
    Role.HELPDESK: _SUPPORT,
    Role.ENGINEER: _SUPPORT,
}

#: The bits of a sight byte that are attribute classes.
ATTRIBUTES = INTERNAL | STATE


def has_charge(roles: Sequence[RoleAssignment]) -> bool:
    """Whether *roles* administer or support any organisation."""
    return any(assignment.role in GRANTS for assignment in roles)


def needs_of_organisation(organisation: Organisation, above: int) -> int:
    """Return what it needs to see *organisation*, where the one above it needs *above*."""
    if organisation.state is not OrganisationState.ACTIVE or above == HIDDEN:
        return HIDDEN
    if organisation.ex_directory or organisation.protected or above == UNLISTED:
        return UNLISTED
    return LISTED


def needs_of_person(above: int, *, withdrawn: bool, ex_directory: bool) -> int:
    """Return what it needs to see a person in an organisation that needs *above*; *withdrawn*: suspended or deleted."""
    if withdrawn or above == HIDDEN:
        return HIDDEN
    return UNLISTED if ex_directory else above


def needs_of_function(above: int, *, withdrawn: bool, ex_directory: bool) -> int:
    """Return what it needs to see a list or shared mailbox in an organisation that needs *above*."""
    if withdrawn:
        return HIDDEN
    return UNLISTED if ex_directory and above == LISTED else above
