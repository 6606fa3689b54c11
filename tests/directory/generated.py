"""Generated communities, changes of them, and questions about them."""

import os
import uuid

from hypothesis import strategies as st

from cjsm.community.identifiers import AccountId, ListId, MailboxId, OrganisationId
from cjsm.community.records import (
    Account,
    Life,
    MailList,
    Organisation,
    OrganisationState,
    OwnerKind,
    Record,
    Role,
    SharedMailbox,
)
from cjsm.directory.query import (
    And,
    AtLeast,
    AtMost,
    Equal,
    Filter,
    Matches,
    Not,
    Or,
    Present,
    Scope,
    Similar,
    SortKey,
    Substrings,
    Undefined,
)
from tests.directory.support import BASE, address, number, organisation, person, role

#: More than 1 for a long look: so many times as many communities.
THOROUGH = int(os.environ.get("CJSM_DIRECTORY_THOROUGH", "1"))
#: So few names, that many are like others.
_FIRST = ("Ann", "Anna", "Bob", "Bo Ann", "", "Æsa")
_LAST = ("Smith", "Smithers", "Ng", "O'Neil", "smith", "Ann")
_ORGANISATIONS = range(1, 7)
_PEOPLE = range(100, 112)
_TEXT = st.sampled_from(
    (
        *("ann", "an", "a", "smi", "smith", "ith", "n", "ng", "ann smith", "th, an", "org 1", "org1", "07700", "700 9"),
        *("æs", "s", " ann", "ann ", " ", "bench", "@org2", "cjsm.test", "TRUE", "active", "duty", "", "1"),
        *("20231114221320Z", "inetOrgPerson", "cjsmDistributionList", "person", f"uid=ann,o=org1,{BASE}"),
        *(str(uuid.UUID(int=100)), "uid=ann@org100,o=people", f"o=org1,{BASE}"),
    )
)
_ATTRIBUTES = st.sampled_from(
    (
        *("cn", "sn", "givenName", "displayName", "mail", "uid", "o", "ou", "telephoneNumber", "mobile", "l", "name"),
        *("description", "objectClass", "cjsmLocked", "cjsmAccountStatus", "createTimestamp", "modifyTimestamp"),
        *("entryUUID", "entryDN", "numSubordinates", "hasSubordinates", "structuralObjectClass", "rfc822MailMember"),
        *("anr", "jpegPhoto", "cn;lang-cy", "dc"),
    )
)
#: What some entries have.
_APT: st.SearchStrategy[Filter] = st.sampled_from(
    (
        Equal("cjsmLocked", "TRUE"),
        Equal("mobile", "07700 900123"),
        Substrings("mobile", "07700", ("900",)),
        Present("mobile"),
        Equal("cjsmAccountStatus", "Suspended"),
        AtLeast("createTimestamp", "20231114221321Z"),
        AtMost("modifyTimestamp", "20231114221321Z"),
        Equal("rfc822MailMember", "ann@org1.cjsm.test"),
        Equal("cn", "Ann Smith"),
        Substrings("displayName", "", ("th, ann",)),
        Equal("hasSubordinates", "TRUE"),
        Present("mail"),
        Equal("objectClass", "person"),
    )
)
_ITEMS: st.SearchStrategy[Filter] = st.one_of(
    _APT,
    _APT,
    st.builds(Present, _ATTRIBUTES),
    st.builds(Equal, _ATTRIBUTES, _TEXT),
    st.builds(Similar, _ATTRIBUTES, _TEXT),
    st.builds(AtLeast, _ATTRIBUTES, _TEXT),
    st.builds(AtMost, _ATTRIBUTES, _TEXT),
    st.builds(
        Substrings,
        _ATTRIBUTES,
        st.one_of(st.just(""), _TEXT),
        st.lists(_TEXT, max_size=2).map(tuple),
        st.one_of(st.just(""), _TEXT),
    ),
    st.builds(Matches, _ATTRIBUTES, st.sampled_from((None, "caseExactMatch", "caseIgnoreMatch")), _TEXT, st.booleans()),
    st.just(Undefined()),
)


def _several(parts: st.SearchStrategy[Filter]) -> st.SearchStrategy[tuple[Filter, ...]]:
    return st.lists(parts, max_size=4).map(tuple)


FILTERS: st.SearchStrategy[Filter] = st.recursive(
    _ITEMS,
    lambda inner: st.one_of(st.builds(Not, inner), st.builds(And, _several(inner)), st.builds(Or, _several(inner))),
    max_leaves=6,
)
SORTS = st.lists(
    st.builds(
        SortKey,
        attribute=st.sampled_from(
            ("cn", "sn", "mail", "mobile", "o", "uid", "modifyTimestamp", "cjsmLocked", "numSubordinates", "entryUUID")
        ),
        descending=st.booleans(),
    ),
    min_size=1,
    max_size=2,
).map(tuple)
SCOPES = st.sampled_from(Scope)


@st.composite
def an_organisation(draw: st.DrawFn, count: int) -> Organisation:
    """Organisation *count*, below any of a lower number."""
    parent = draw(st.sampled_from([None, *range(1, count)]))
    return organisation(
        OrganisationId(number(count)),
        OrganisationId(number(parent)) if parent else None,
        draw(st.sampled_from((f"org{count}", f"part{count}"))),
        draw(st.sampled_from((f"Org {count}", f"Ann & Ng {count}"))),
        abbreviation=f"org{count}",
        ex_directory=draw(st.integers(0, 4)) == 0,
        state=draw(st.sampled_from((OrganisationState.ACTIVE,) * 5 + (OrganisationState.SUSPENDED,))),
    )


@st.composite
def a_person(draw: st.DrawFn, count: int) -> list[Record]:
    """Person *count* with addresses, in any organisation; many are called alike."""
    home = draw(st.sampled_from(_ORGANISATIONS))
    first, last = draw(st.sampled_from(_FIRST)), draw(st.sampled_from(_LAST))
    # Of those with one short name each has another abbreviation.
    short = draw(st.sampled_from(("ann", "bob", f"p{count}")))
    identifier = AccountId(number(count))
    made = person(
        identifier,
        OrganisationId(number(home)),
        f"{short}@org{count}",
        first,
        last,
        mobile=draw(st.sampled_from(("", "07700 900123", "none"))),
        telephone=draw(st.sampled_from(("", "0117 496 0001", "ext."))),
        town=draw(st.sampled_from(("", "Bristol"))),
        description=draw(st.sampled_from(("", "Bench duty", "ann"))),
        life=draw(st.sampled_from((Life.ACTIVE,) * 4 + (Life.SUSPENDED, Life.NEW))),
        locked=draw(st.booleans()),
        ex_directory=draw(st.integers(0, 4)) == 0,
        created=1_700_000_000 + draw(st.integers(0, 2)),
    )
    made[1] = address(f"{short}.{count}@org{home}.cjsm.test", identifier, alias=draw(st.integers(0, 5)) == 0)
    if draw(st.booleans()):
        made.append(address(f"alias.{count}@org{home}.cjsm.test", identifier, alias=True))
    return made


@st.composite
def a_function(draw: st.DrawFn, count: int) -> list[Record]:
    """A list or shared mailbox with an address; several have one short name."""
    home = OrganisationId(number(draw(st.sampled_from(_ORGANISATIONS))))
    # Siblings of one name are told apart by how their identifiers begin, which are random elsewhere.
    identity = number(count << 96 | count)
    slug = draw(st.sampled_from(("duty", f"desk{count}")))
    if count % 2:
        members = ("ann@org1.cjsm.test",) * draw(st.integers(0, 1))
        made: Record = MailList(id=ListId(identity), organisation=home, slug=slug, name="Duty", members=members)
        return [made, address(f"list{count}@org1.cjsm.test", identity, kind=OwnerKind.LIST)]
    life = draw(st.sampled_from((Life.ACTIVE, Life.DELETED)))
    made = SharedMailbox(id=MailboxId(identity), organisation=home, slug=slug, name="Ann's Desk", life=life)
    return [made, address(f"desk{count}@org1.cjsm.test", identity, kind=OwnerKind.SHARED_MAILBOX)]


@st.composite
def a_role(draw: st.DrawFn, count: int) -> Record:
    """A role of somebody somewhere."""
    where = draw(st.sampled_from([None, *_ORGANISATIONS]))
    account = AccountId(number(draw(st.sampled_from(_PEOPLE))))
    return role(count, account, draw(st.sampled_from(Role)), OrganisationId(number(where)) if where else None)


@st.composite
def communities(draw: st.DrawFn) -> list[Record]:
    """Some of everything."""
    made: list[Record] = [draw(an_organisation(count)) for count in _ORGANISATIONS]
    for count in _PEOPLE:
        made += draw(a_person(count))
    for count in range(200, 200 + draw(st.integers(0, 4))):
        made += draw(a_function(count))
    return made + [draw(a_role(count)) for count in range(draw(st.integers(0, 3)))]


def readers(made: list[Record]) -> list[AccountId]:
    """Those who may ask."""
    return [found.id for found in made if isinstance(found, Account)]


@st.composite
def bases(draw: st.DrawFn) -> str:
    """Where to look: mostly everywhere."""
    return draw(st.sampled_from(("", "", BASE, "o=people", f"o=org1,{BASE}", f"ou=org2,o=org1,{BASE}")))
