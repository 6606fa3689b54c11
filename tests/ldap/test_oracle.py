"""An independent implementation says the same: names, filters and answers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ldaptor import ldapfilter
from ldaptor.protocols import pureber, pureldap
from ldaptor.protocols.ldap import distinguishedname

from cjsm.directory import names
from cjsm.directory.query import And, AtLeast, AtMost, Equal, Matches, Not, Or, Present, Similar, Substrings
from cjsm.ldap.grammar import filters
from cjsm.ldap.grammar.ber import Reader
from tests.ldap import support
from tests.ldap.house import House, golden
from tests.ldap.support import equal, present


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(cn=Jane Smith)", Equal("cn", "Jane Smith")),
        ("(cn=*)", Present("cn")),
        ("(cn=a*b*c*d)", Substrings("cn", "a", ("b", "c"), "d")),
        ("(cn=*b*)", Substrings("cn", "", ("b",))),
        ("(cn>=a)", AtLeast("cn", "a")),
        ("(cn<=a)", AtMost("cn", "a")),
        ("(cn~=a)", Similar("cn", "a")),
        ("(cn=a\\2a)", Equal("cn", "a*")),
        ("(!(cn=a))", Not(Equal("cn", "a"))),
        ("(&(cn=a)(|(sn=b)(sn=c)))", And((Equal("cn", "a"), Or((Equal("sn", "b"), Equal("sn", "c")))))),
        ("(cn:caseExactMatch:=a)", Matches("cn", "caseExactMatch", "a")),
    ],
)
def test_filters(text: str, expected: object) -> None:
    """What it encodes from text, we decode to what the text means."""
    octets = ldapfilter.parseFilter(text).toWire()
    assert filters.decode(Reader(octets), depth=32, most=100, octets=4_096) == expected


#: A value of nothing but space is no value.
_VALUES = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="#"), min_size=1, max_size=10
).filter(names.fold)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.sampled_from(["cn", "ou", "o"]), _VALUES), min_size=1, max_size=4))
def test_names(pairs: list[tuple[str, str]]) -> None:
    """What it writes as a name, we read as the same values."""
    made = distinguishedname.DistinguishedName(
        listOfRDNs=[
            distinguishedname.RelativeDistinguishedName(
                attributeTypesAndValues=[distinguishedname.LDAPAttributeTypeAndValue(attributeType=kind, value=value)]
            )
            for kind, value in pairs
        ]
    )
    read = names.parse(made.getText())
    assert [relative[0] for relative in read] == [(kind, names.fold(value)) for kind, value in pairs]


def _understood(octets: bytes) -> list[pureldap.LDAPMessage]:
    context = pureldap.LDAPBERDecoderContext_TopLevel(
        inherit=pureldap.LDAPBERDecoderContext_LDAPMessage(
            fallback=pureldap.LDAPBERDecoderContext(fallback=pureber.BERDecoderContext()),
            inherit=pureldap.LDAPBERDecoderContext(fallback=pureber.BERDecoderContext()),
        )
    )
    found = []
    while octets:
        message, used = pureber.berDecodeObject(context, octets)
        found.append(message)
        octets = octets[used:]
    return found


def test_answers() -> None:
    """What we say, it understands: entries, results, a failed bind, an extended answer and the last notice."""
    connection = House().connect()
    for octets in (
        support.bind(1, "jane.smith@avon", b"wrong"),
        support.bind(2, "jane.smith@avon", b"secret"),
        golden("outlook-search"),
        support.search(7, equal("cn", "x"), base="o=nowhere,dc=cjsm,dc=test"),
        support.search(8, present("objectClass"), base="cn=subschema", scope=0, attributes=["+"]),
        support.extended(9, "1.3.6.1.4.1.4203.1.11.3"),
        b"GET /",
    ):
        connection.send(octets)
    messages = [message.value for message in _understood(connection.transport.value())]
    assert [type(message) for message in messages] == [
        pureldap.LDAPBindResponse,
        pureldap.LDAPBindResponse,
        pureldap.LDAPSearchResultEntry,
        pureldap.LDAPSearchResultEntry,
        pureldap.LDAPSearchResultDone,
        pureldap.LDAPSearchResultDone,
        pureldap.LDAPSearchResultEntry,
        pureldap.LDAPSearchResultDone,
        pureldap.LDAPExtendedResponse,
        pureldap.LDAPExtendedResponse,
    ]
    assert messages[0].resultCode == 49
    assert messages[5].matchedDN == b"dc=cjsm,dc=test"
    attributes = {name: list(values) for name, values in messages[2].attributes}
    assert attributes[b"mail"] == [b"jane.smith@avon.cjsm.test"]
