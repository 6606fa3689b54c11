"""What searches find, for whom, and how much of it."""

import pytest

from cjsm.directory.names import BadName
from cjsm.directory.query import (
    And,
    AtLeast,
    AtMost,
    Equal,
    Filter,
    Matches,
    NoSuchEntry,
    Not,
    Or,
    Present,
    Scope,
    Similar,
    Substrings,
    TermTooShort,
    Undefined,
)
from cjsm.directory.schema import load
from cjsm.directory.shapes import shape
from tests.directory.support import (
    ADA,
    BASE,
    COMMUNITY,
    ENGINEER,
    HELP,
    JANE,
    LOU,
    OLD,
    RITA,
    first_names,
    reading,
    search,
)

_PEOPLE = Present("uid")


def found(filter_: Filter, reader: bytes = LOU) -> list[str]:
    """Return what *reader* finds in the community's own tree."""
    return first_names(search(reading(reader), filter_))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        (Equal("mail", "JANE.SMITH@avon.cjsm.test"), ["uid=jane.smith"]),
        (Equal("mail", "jane.jones@avon.cjsm.test"), ["uid=jane.smith"]),
        (Equal("uid", "jane.smith@avon"), ["uid=jane.smith"]),
        (Equal("surname", " smith "), ["uid=jane.smith", "uid=lou.smith"]),
        (Similar("sn", "smith"), ["uid=jane.smith", "uid=lou.smith"]),
        (Equal("name", "müller"), ["uid=bob.muller"]),
        (Substrings("cn", "jan"), ["uid=jane.smith"]),
        (Substrings("cn", "", ("an", "smi")), ["uid=jane.smith"]),
        (Substrings("cn", "", ("smi", "an")), []),
        (Substrings("sn", "", (), "ller"), ["uid=bob.muller"]),
        (Substrings("sn", "smi", ("it",), "th"), []),
        (
            Substrings("displayName", "", ("avon police \N{EN DASH} cr",)),
            ["ou=crime", "uid=jane.smith", "cn=duty-desk", "ou=fraud"],
        ),
        (Equal("telephoneNumber", "+44(117)496-0001"), ["uid=jane.smith"]),
        (Substrings("telephoneNumber", "smith"), []),
        (Substrings("telephoneNumber", "", ("0001",)), ["uid=jane.smith"]),
        (And((Equal("sn", "smith"), Equal("o", "avon police"))), ["uid=jane.smith"]),
        (And((Equal("sn", "smith"), Not(Equal("o", "avon police")))), ["uid=lou.smith"]),
        (Or((Equal("sn", "nobody"), Equal("givenName", "bob"))), ["uid=bob.muller"]),
        (Or(()), []),
        (Equal("objectClass", "cjsmDistributionList"), ["cn=all-crime"]),
        (Equal("objectClass", "2.5.6.5"), ["ou=crime", "ou=fraud"]),
        (Equal("objectClass", "user"), []),
        (Equal("jpegPhoto", "xx"), []),
        (Not(Equal("jpegPhoto", "xx")), []),
        (Equal("cn;lang-de", "jane smith"), []),
        (And((Not(Equal("cn;lang-de", "jane smith")), Equal("sn", "muller"))), []),
        (And((Not(Equal("cn;x-other", "jane smith")), Equal("sn", "smith"))), []),
        (And((Not(Equal("sn", "")), Equal("sn", "smith"))), []),
        (Equal("objectClass", " organizationalUnit "), []),
        (Or((Undefined(), Equal("sn", "müller"))), ["uid=bob.muller"]),
        (Equal("anr", "jane smi"), ["uid=jane.smith"]),
        (Substrings("anr", "smith jane"), ["uid=jane.smith"]),
        (Equal("anr", "duty"), ["cn=duty-desk"]),
        (Matches("sn", None, "SMITH"), ["uid=jane.smith", "uid=lou.smith"]),
        (Matches("sn", "caseExactMatch", "SMITH"), []),
        (Matches("sn", "2.5.13.5", "Smith"), ["uid=jane.smith", "uid=lou.smith"]),
        (Matches("sn", "integerMatch", "Smith"), []),
        (Matches("name", None, "MÜLLER"), ["uid=bob.muller"]),
        (Matches("telephoneNumber", "caseIgnoreMatch", "+44 117 496 0001"), ["uid=jane.smith"]),
        (Matches("objectClass", None, "2.5.6.5"), ["ou=crime", "ou=fraud"]),
        (Matches(None, "caseIgnoreMatch", "Smith"), ["uid=jane.smith", "uid=lou.smith"]),
        (Matches(None, "caseExactMatch", "smith"), []),
        (Matches(None, "noSuchMatch", "smith"), []),
        (Matches(None, None, "smith"), []),
        (Matches("cn;lang-de", None, "jane smith"), []),
        (And((Matches("ou", None, "fraud", True), Present("ou"))), ["ou=fraud"]),
        (
            And((AtLeast("createTimestamp", "20231114221320Z"), Equal("sn", "smith"))),
            ["uid=jane.smith", "uid=lou.smith"],
        ),
        (And((AtMost("createTimestamp", "20231114221319Z"), Equal("sn", "smith"))), []),
        (AtLeast("sn", "smith"), []),
        (Equal("userPassword", "secret"), []),
        (Present("userPassword"), []),
    ],
)
def test_filters(filter_: Filter, expected: list[str]) -> None:
    """Each kind of filter, as another organisation's member asks it."""
    assert found(filter_) == expected


def test_three_valued_logic_hides_what_may_not_be_read() -> None:
    """Neither a mobile number nor its absence can be guessed from outside."""
    right = Substrings("mobile", "07700 900001")
    avon = f"o=avon-police,{BASE}"
    guesses = (right, Not(right), Present("mobile"), Not(Present("mobile")), Or((right, Not(right))))
    assert [search(reading(LOU), guess, base=avon) for guess in guesses] == [[], [], [], [], []]
    assert found(right, JANE) == ["uid=jane.smith"]


def test_states_are_for_those_in_charge() -> None:
    """Whether somebody is locked is undefined for others."""
    locked = Equal("cjsmLocked", "TRUE")
    assert found(locked) == [] == found(locked, ADA)
    assert found(locked, HELP) == found(locked, ENGINEER) == found(locked, COMMUNITY) == ["uid=lou.smith"]


def test_members_see_members() -> None:
    """Ex-directory people and organisations, suspended and deleted ones are not there."""
    assert found(_PEOPLE) == [
        "uid=ada.admin",
        "uid=bob.muller",
        "uid=jane.smith",
        "uid=carl.community",
        "uid=enid.wire",
        "uid=helen.desk",
        "uid=lou.smith",
    ]


def test_colleagues_see_their_own_tree() -> None:
    """What is not in the directory for others is there for the same top organisation, suspended people are not."""
    assert set(found(_PEOPLE, JANE)) - set(found(_PEOPLE)) == {"uid=eve.secret"}
    assert "uid=rita.hidden" in found(_PEOPLE, RITA)


def test_administrators_see_their_subtree_whole() -> None:
    """Suspended and deleted people too, and nothing more of other organisations."""
    assert set(found(_PEOPLE, ADA)) - set(found(_PEOPLE)) == {"uid=eve.secret", "uid=sam.smithers", "uid=del.eted"}


@pytest.mark.parametrize("reader", [HELP, ENGINEER, COMMUNITY])
def test_support_sees_all(reader: bytes) -> None:
    """Helpdesk, engineers and the community's administrators find everybody."""
    assert {"uid=rita.hidden", "uid=olive.old", "uid=del.eted", "uid=eve.secret"} < set(found(_PEOPLE, reader))


def test_support_does_not_see_internal_attributes() -> None:
    """Helpdesk and engineers get states, not mobile numbers."""
    assert found(Equal("mobile", "07700900001"), HELP) == []
    assert found(Equal("mobile", "07700900001"), COMMUNITY) == ["uid=jane.smith"]


def test_both_contexts_show_the_same_people() -> None:
    """The flat context is no way round."""
    for reader in (LOU, JANE, ADA, HELP, RITA, OLD):
        seen = reading(reader)
        flat = search(seen, _PEOPLE, base="o=people", scope=Scope.ONE)
        assert len(flat) == len(search(seen, _PEOPLE))


def test_scopes() -> None:
    """Base, one level and subtree, from any entry."""
    seen = reading(LOU)
    crime = f"ou=crime,o=avon-police,{BASE}"
    everything = Present("objectClass")
    assert search(seen, everything, base=crime, scope=Scope.BASE) == [crime]
    assert first_names(search(seen, everything, base=crime, scope=Scope.ONE)) == [
        "uid=jane.smith",
        "cn=duty-desk",
        "ou=fraud",
    ]
    assert first_names(search(seen, everything, base=crime)) == [
        "ou=crime",
        "uid=jane.smith",
        "cn=duty-desk",
        "ou=fraud",
    ]
    assert first_names(search(seen, everything, scope=Scope.ONE)) == ["o=avon-police", "o=law-firm"]
    assert search(seen, Equal("sn", "müller")) == [f"uid=bob.muller,o=avon-police,{BASE}"]


@pytest.mark.parametrize(
    ("base", "matched"),
    [
        ("o=nowhere,dc=cjsm,dc=test", BASE),
        (f"uid=eve.secret,ou=fraud,ou=crime,o=avon-police,{BASE}", f"ou=fraud,ou=crime,o=avon-police,{BASE}"),
        (f"uid=rita.hidden,o=refuge,{BASE}", BASE),
        ("uid=rita.hidden@refuge,o=people", "o=people"),
        ("dc=com", ""),
    ],
)
def test_an_invisible_base_is_not_there(base: str, matched: str) -> None:
    """It is answered as one that does not exist, with the nearest visible entry above it."""
    with pytest.raises(NoSuchEntry) as caught:
        search(reading(LOU), _PEOPLE, base=base)
    assert caught.value.matched == matched


def test_a_base_that_is_no_name() -> None:
    """It is refused as such."""
    with pytest.raises(BadName):
        search(reading(LOU), _PEOPLE, base="jane")


def test_size_limits() -> None:
    """The client's limit, the server's cap, and exactly as many as there are."""
    seen = reading(LOU)
    assert len(search(seen, _PEOPLE, size=3)) == 3
    assert len(search(seen, _PEOPLE, entries=2)) == 2
    assert len(search(reading(ADA), _PEOPLE, entries=2, administrator_entries=4)) == 4


@pytest.mark.parametrize(
    "filter_",
    [
        Substrings("cn", "j"),
        Equal("sn", "j"),
        Substrings("cn", "", ("a", "b")),
        Or((Substrings("cn", "j"), Substrings("mail", "j"))),
        And((Present("mail"), Or((Substrings("mail", "j"), Substrings("cn", "j"))))),
        And((Equal("objectClass", "person"), Substrings("sn", "s"))),
        Not(Substrings("sn", "s")),
        Equal("anr", "s"),
        Substrings("sn", "  s  "),
    ],
)
def test_terms_of_one_character_are_refused(filter_: Filter) -> None:
    """One letter would list nearly everybody; the words say how many are needed."""
    with pytest.raises(TermTooShort, match="at least 2 characters"):
        found(filter_)
    found(filter_, ADA)
    assert search(reading(LOU), filter_, base=BASE, scope=Scope.BASE) in ([], [BASE])


def test_a_short_word_beside_a_longer_one() -> None:
    """``j smi`` finds Jane Smith; alternatives that are too short find nothing by themselves."""
    both = Or((Substrings("cn", "", ("j", "smi")), Substrings("givenName", "", ("j",)), Substrings("sn", "", ("smi",))))
    assert found(both) == ["uid=jane.smith", "uid=lou.smith"]
    assert found(And((Substrings("givenName", "j"), Substrings("sn", "smi")))) == ["uid=jane.smith"]
    assert found(Or((Substrings("cn", "c"), Equal("sn", "müller")))) == ["uid=bob.muller"]


def test_browsing_needs_no_term() -> None:
    """Organisations can be listed level by level."""
    assert found(Equal("objectClass", "organization")) == ["o=avon-police", "o=law-firm"]


def test_shapes_have_nothing_that_was_typed() -> None:
    """The log shows what was asked for, not for whom."""
    filter_ = And(
        (
            Or((Substrings("cn", "jane", ("x",), "smith"), Similar("jane-smith", "jane"), Equal("anr", "jane"))),
            Not(AtLeast("createTimestamp", "jane")),
            AtMost("sn", "jane"),
            Matches(None, "jane", "jane"),
            Present("mail"),
            Present("ANR"),
            Undefined(),
        )
    )
    text = shape(filter_, load())
    assert text == "(&(|(cn=_*_*_)(?~=_)(anr=_))(!(createTimestamp>=_))(sn<=_)(?:=_)(mail=*)(anr=*)(?))"
    assert "jane" not in text
