"""Operations, each as its RFC says."""

import pytest

from cjsm.ldap.grammar.codes import Operation
from tests.conformance.ldap.caller import WHO_AM_I, Caller
from tests.ldap import support
from tests.ldap.support import element, equal, present

_NOT, _AND, _OR = 0xA2, 0xA0, 0xA1


def test_the_root(caller: Caller) -> None:
    """Tells without a bind which version there is and where to search (RFC 4512 5.1)."""
    entry, done = caller.secured().ask(support.search(1, present("objectClass"), scope=0, attributes=["*", "+"]))
    assert (entry.dn, done.code) == ("", 0)
    assert "3" in entry.attributes["supportedLDAPVersion"]
    assert entry.attributes["namingContexts"]


def test_binds(caller: Caller) -> None:
    """Right, wrong, of nobody, without a password, of another version (RFC 4511 4.2, RFC 4513 5.1)."""
    wire = caller.secured()
    assert wire.result(support.bind(1)).code == 0
    assert wire.result(caller.signing_in(2)).code == 0
    wrong = wire.result(support.bind(3, caller.target.user, b"wrong"))
    assert wrong.code == 49
    caller.promise(wire.result(support.bind(4, caller.target.user, b"")).code == 53, "a name without password is taken")
    caller.promise(wire.result(support.bind(5, version=2)).code == 2, "version 2 is not refused with 2")
    assert wire.result(support.sasl(6, "NOSUCH", b"x")).code == 7


def test_a_failed_bind_makes_nobody(caller: Caller) -> None:
    """Whoever was signed in is not any more (RFC 4511 4.2.1, RFC 4532)."""
    caller.needs(WHO_AM_I)
    wire = caller.signed_in()
    assert wire.result(support.extended(2, WHO_AM_I)).value
    assert wire.result(support.bind(3, caller.target.user, b"wrong")).code == 49
    assert not wire.result(support.extended(4, WHO_AM_I)).value


def test_sasl_plain(caller: Caller) -> None:
    """In one step, and in two with an empty challenge (RFC 4616, RFC 4513 5.2)."""
    caller.needs("PLAIN")
    credentials = f"\0{caller.target.user}\0{caller.target.password}".encode()
    assert caller.secured().result(support.sasl(1, "PLAIN", credentials)).code == 0
    wire = caller.secured()
    asked = wire.result(support.sasl(1, "PLAIN", None))
    assert asked.code == 14
    assert wire.result(support.sasl(2, "PLAIN", credentials)).code == 0


def test_bases(caller: Caller) -> None:
    """Of what is there, what is not, and what is no name (RFC 4511 4.1.9, 4.5)."""
    wire, base = caller.signed_in(), caller.target.base
    entry, done = wire.ask(support.search(2, present("objectClass"), base=base, scope=0, attributes=["1.1"]))
    assert (entry.attributes, done.code) == ({}, 0)
    missing = wire.result(support.search(3, present("objectClass"), base=f"cn=nobody,ou=nowhere,{base}"))
    assert missing.code == 32
    assert missing.matched.lower().replace(" ", "") == base.lower().replace(" ", "")
    assert wire.result(support.search(4, present("objectClass"), base="not a name")).code == 34


@pytest.mark.parametrize(
    ("filter_", "found"),
    [
        (element(_AND, b""), True),
        (element(_OR, b""), False),
        (equal("noSuchAttribute", "x"), False),
        (element(_NOT, equal("noSuchAttribute", "x")), False),
        (element(_OR, equal("noSuchAttribute", "x") + present("objectClass")), True),
        (element(_AND, equal("noSuchAttribute", "x") + present("objectClass")), False),
        (element(_NOT, element(_NOT, present("objectClass"))), True),
        (equal("createTimestamp", "not a time"), False),
        (element(_NOT, equal("createTimestamp", "not a time")), False),
        (equal("objectClass", b"\xff\xfe"), False),
    ],
)
def test_three_valued_logic(caller: Caller, filter_: bytes, found: bool) -> None:
    """What cannot be decided is neither, and never an error (RFC 4511 4.5.1.7, RFC 4526)."""
    *entries, done = caller.signed_in().ask(support.search(2, filter_, base=caller.target.base, scope=0))
    assert (done.code, len(entries)) == (0, int(found))


def test_attribute_lists(caller: Caller) -> None:
    """Unknown ones are ignored; types without values; all operational ones (RFC 4511 4.5.1.8, RFC 3673)."""
    wire, base = caller.signed_in(), caller.target.base

    def attributes(*names: str, types_only: bool = False) -> dict[str, list[str]]:
        asked = support.search(2, present("objectClass"), base=base, scope=0, attributes=names, types_only=types_only)
        found: dict[str, list[str]] = wire.ask(asked)[0].attributes
        return found

    assert list(attributes("objectClass", "noSuchAttribute")) == ["objectClass"]
    assert attributes("objectClass", types_only=True) == {"objectClass": []}
    assert "entryDN" in attributes("+") or "createTimestamp" in attributes("+")
    assert attributes("1.1") == {}


def test_limits(caller: Caller) -> None:
    """One entry, and code 4 (RFC 4511 4.5.1.4)."""
    *entries, done = caller.signed_in().ask(support.search(2, present("sn"), base=caller.target.base, size=1))
    assert (len(entries), done.code) == (1, 4)


def test_compares(caller: Caller) -> None:
    """True, false, no such attribute, no such entry (RFC 4511 4.10)."""
    wire, base = caller.signed_in(), caller.target.base
    kind, _, value = base.partition(",")[0].partition("=")
    for octets, codes in (
        (support.compare(2, base, kind, value.upper()), (6,)),
        (support.compare(3, base, kind, "other"), (5,)),
        (support.compare(4, base, "sn", "x"), (16,)),
        (support.compare(5, base, "noSuchAttribute", "x"), (16, 17)),
        (support.compare(6, f"cn=nobody,{base}", "cn", "x"), (32,)),
    ):
        assert wire.result(octets).code in codes


def test_abandon_says_nothing(caller: Caller) -> None:
    """Of nothing, and of a search that may have ended (RFC 4511 4.11)."""
    wire = caller.signed_in()
    wire.send(support.abandon(2, 77), support.abandon(3, 1))
    assert wire.result(support.bind(4)).id == 4


@pytest.mark.parametrize("operation", [Operation.DELETE])
def test_writes_are_refused(caller: Caller, operation: Operation) -> None:
    """A member changes nothing here."""
    octets = support.request(2, element(operation, f"cn=nobody,{caller.target.base}".encode()))
    code = caller.signed_in().result(octets).code
    caller.promise(code == 53, "a deletion is not refused with 53")


def test_unknown_extended_operations(caller: Caller) -> None:
    """A protocol error, and the connection goes on (RFC 4511 4.12)."""
    wire = caller.secured()
    assert wire.result(support.extended(1, "1.2.3.4.5")).code == 2
    assert wire.result(support.bind(2)).code == 0


def test_unbind_ends(caller: Caller) -> None:
    """Without an answer (RFC 4511 4.3)."""
    wire = caller.signed_in()
    wire.send(support.unbind(2))
    assert wire.rest() == []
