"""The protocol's states and orders, without a network."""

from typing import Any

import pytest

from cjsm.directory import schema
from cjsm.ldap.actions import Action, Choose, Examine, Find, HangUp, Say, SignIn, SignOut, StartTls, Stop
from cjsm.ldap.grammar import controls, responses
from cjsm.ldap.grammar.codes import ANSWERS, Answer, Operation, ResultCode
from cjsm.ldap.grammar.limits import DecodingLimits
from cjsm.ldap.grammar.requests import Unacceptable, decode
from cjsm.ldap.service import PASSWORD_MODIFY, WHO_AM_I, ServiceEntries
from cjsm.ldap.session import LdapSession
from cjsm.ldap.states import TRANSITIONS, State
from tests.ldap import support
from tests.ldap.support import Found, equal, present

BASE = "dc=cjsm,dc=test"
NOTICE = "1.3.6.1.4.1.1466.20036"
#: How the one who signs in is named.
JANE = "dn:uid=jane"


class Client:
    """One session with short ways to speak to it."""

    def __init__(self, *, secure: bool = True) -> None:
        entries = ServiceEntries(schema.load(), BASE, starttls=not secure)
        self.session = LdapSession(entries, outstanding=4, failures=3, secure=secure)

    def send(self, octets: bytes) -> list[Action]:
        """Send one request that need not wait."""
        try:
            message = decode(octets, DecodingLimits())
        except Unacceptable as error:
            return self.session.unacceptable(error)
        assert self.session.ready(message)
        return self.session.received(message)

    def ask(self, octets: bytes) -> list[Any]:
        """Send one request and return what is said to it; nothing else may happen."""
        return said(self.send(octets))

    def ready(self, octets: bytes) -> bool:
        """Whether a request need not wait."""
        return self.session.ready(decode(octets, DecodingLimits()))

    def sign_in(self) -> None:
        """Bind as somebody."""
        self.send(support.bind(1, "jane", b"secret"))
        self.session.accepted(1, lambda: JANE)


def said(actions: list[Action]) -> list[Any]:
    """Return the answers in *actions*, which are nothing else."""
    assert all(isinstance(action, Say) for action in actions)
    return support.answers(b"".join(action.octets for action in actions if isinstance(action, Say)))


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def member() -> Client:
    made = Client()
    made.sign_in()
    return made


def test_a_bind_asks_who_it_is_and_waits(client: Client) -> None:
    """Nothing else is taken until the answer is there, but Unbind."""
    assert client.send(support.bind(1, "jane", b"secret")) == [SignIn(1, "jane", b"secret")]
    assert not client.ready(support.search(2, present("cn")))
    assert not client.ready(support.bind(2))
    (result,) = said(client.session.accepted(1, lambda: JANE))
    assert (result.id, result.code) == (1, 0)
    assert client.ready(support.search(2, present("cn")))


def test_secrets_are_not_shown(client: Client) -> None:
    """An action in a log has no password."""
    assert "secret" not in repr(client.send(support.bind(1, "jane", b"secret")))


def test_sasl_plain(client: Client) -> None:
    """Name and password in one message, or after an empty challenge."""
    assert client.ask(support.sasl(1, "PLAIN", None))[0].code == ResultCode.SASL_BIND_IN_PROGRESS
    assert client.send(support.sasl(2, "plain", b"\0jane\0secret")) == [SignIn(2, "jane", b"secret")]


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (support.bind(1, "jane", b""), ResultCode.UNWILLING_TO_PERFORM),
        (support.bind(1, "", b""), ResultCode.SUCCESS),
        (support.bind(1, "jane", b"x", version=2), ResultCode.PROTOCOL_ERROR),
        (support.sasl(1, "GSSAPI", b"x"), ResultCode.AUTH_METHOD_NOT_SUPPORTED),
        (support.sasl(1, "PLAIN", b"jane"), ResultCode.PROTOCOL_ERROR),
        (support.sasl(1, "PLAIN", b"\0jane\0"), ResultCode.PROTOCOL_ERROR),
        (support.sasl(1, "PLAIN", b"bob\0jane\0x"), ResultCode.INVALID_CREDENTIALS),
        (support.bind(1, "j" * 5000, b"x"), ResultCode.INVALID_CREDENTIALS),
    ],
)
def test_binds_that_are_answered_at_once(client: Client, octets: bytes, code: ResultCode) -> None:
    """Nobody is asked about these."""
    assert client.ask(octets)[0].code == code
    assert client.session.state is State.ANONYMOUS


def test_binding_as_oneself_by_name_of_a_user(client: Client) -> None:
    """An authorization identity that is the same name is no acting as somebody else."""
    assert client.send(support.sasl(1, "PLAIN", b"u:jane\0jane\0x")) == [SignIn(1, "jane", b"x")]


def test_a_new_bind_makes_anonymous_first(member: Client) -> None:
    """Whoever fails to sign in again is nobody, and what was at work is given up (RFC 4511 §4.2.1)."""
    member.send(support.search(2, present("cn"), base=BASE))
    assert member.send(support.bind(3, "bob", b"x")) == [Stop(2), SignOut(), SignIn(3, "bob", b"x")]
    assert said(member.session.refused(3, ResultCode.INVALID_CREDENTIALS, "no"))[0].code == 49
    assert member.ask(support.search(4, present("cn"), base=BASE))[0].code == ResultCode.INSUFFICIENT_ACCESS_RIGHTS
    assert member.ask(support.extended(5, WHO_AM_I))[0].value == b""


def test_three_wrong_passwords_end_the_connection(client: Client) -> None:
    """A busy server is not counted as one."""
    codes = [ResultCode.INVALID_CREDENTIALS, ResultCode.BUSY, ResultCode.INVALID_CREDENTIALS]
    for count, code in enumerate(codes, 1):
        client.send(support.bind(count, "jane", b"x"))
        assert len(client.session.refused(count, code, "no")) == 1
    client.send(support.bind(9, "jane", b"x"))
    *answered, end = client.session.refused(9, ResultCode.INVALID_CREDENTIALS, "no")
    assert said(answered)[0].code == 49
    assert isinstance(end, HangUp)
    assert client.session.state is State.ENDED


def test_anonymous_reads_the_root_and_nothing_below(client: Client) -> None:
    """The root DSE, in full without asking for names."""
    entry, done = client.ask(support.search(1, present("objectclass"), scope=0))
    assert done.code == 0
    assert entry.dn == ""
    assert entry.attributes["namingContexts"] == [BASE, "o=people"]
    assert entry.attributes["supportedLDAPVersion"] == ["3"]
    assert entry.attributes["supportedSASLMechanisms"] == ["PLAIN"]
    assert entry.attributes["subschemaSubentry"] == ["cn=subschema"]
    for octets in (
        support.search(2, present("cn"), base=BASE),
        support.search(2, present("cn")),
        support.search(2, present("cn"), base="o=people", scope=0),
        support.compare(2, BASE, "dc", "cjsm"),
        support.request(2, element_of(Operation.ADD)),
    ):
        (refused,) = client.ask(octets)
        assert refused.code == ResultCode.INSUFFICIENT_ACCESS_RIGHTS
        assert "sign in first" in refused.text


def element_of(operation: Operation) -> bytes:
    """An update request; what is in it is not looked at."""
    return bytes((operation, 2)) + b"xx"


def test_the_root_takes_filters_and_attribute_lists(client: Client) -> None:
    """It is an entry like any other."""
    (entry, _) = client.ask(support.search(1, present("objectClass"), scope=0, attributes=["namingcontexts"]))
    assert list(entry.attributes) == ["namingContexts"]
    (only,) = client.ask(support.search(2, equal("supportedControl", "1.2.3"), scope=0))
    assert only.code == 0
    (entry, _) = client.ask(support.search(3, present("objectClass"), scope=0, types_only=True))
    assert set(map(len, entry.attributes.values())) == {0}


def test_no_windows_capabilities_are_listed(client: Client) -> None:
    """Clients that see Active Directory's take the server for one. Two controls of RFCs have numbers of its maker."""
    (entry, _) = client.ask(support.search(1, present("objectClass"), scope=0, attributes=["*", "+"]))
    listed = {oid for values in entry.attributes.values() for oid in values if oid.startswith("1.2.840.113556")}
    assert listed == {controls.PAGED_RESULTS, controls.SORT}
    assert "supportedCapabilities" not in entry.attributes


def test_the_controls_are_listed(client: Client) -> None:
    """As clients look for them before they use any."""
    (entry, _) = client.ask(support.search(1, present("objectClass"), scope=0, attributes=["supportedControl"]))
    assert set(entry.attributes["supportedControl"]) == {
        "1.2.840.113556.1.4.319",
        "1.2.840.113556.1.4.473",
        "2.16.840.1.113730.3.4.9",
        "1.3.6.1.1.12",
        "2.16.840.1.113730.3.4.2",
    }


def test_the_subschema_lists_every_attribute(client: Client) -> None:
    """Whatever the server can answer with is described."""
    asked = support.search(1, equal("objectClass", "subschema"), base="CN=Subschema", scope=0, attributes=["*", "+"])
    entry, _ = client.ask(asked)
    described = " ".join(entry.attributes["attributeTypes"])
    for attribute in schema.load().attributes:
        assert f"'{attribute.names[0]}'" in described
    assert f"'{'attributeTypes'}'" in described
    assert any("'inetOrgPerson'" in text for text in entry.attributes["objectClasses"])


def test_searches_of_members_are_passed_on(member: Client) -> None:
    """The directory answers; its answer ends the operation."""
    (action,) = member.send(support.search(2, equal("cn", "x")))
    assert isinstance(action, Find)
    assert not member.session.idle
    (done,) = said(member.session.done(2, responses.result(Answer.DONE, ResultCode.SUCCESS)))
    assert (done.id, done.code) == (2, 0)
    assert member.session.idle


def test_at_most_four_are_at_work(member: Client) -> None:
    """The fifth waits; what needs no work does not."""
    for count in range(2, 6):
        member.send(support.search(count, equal("cn", "x")))
    assert not member.ready(support.search(6, equal("cn", "x")))
    assert not member.ready(support.compare(6, BASE, "dc", "x"))
    assert member.ready(support.abandon(6, 2))
    member.session.done(2, b"")
    assert member.ready(support.search(6, equal("cn", "x")))


def test_abandon_is_silent(member: Client) -> None:
    """The work stops and nothing is said, then or later (RFC 4511 §4.11)."""
    member.send(support.search(2, equal("cn", "x")))
    assert member.send(support.abandon(3, 2)) == [Stop(2)]
    assert member.session.done(2, b"late") == []
    assert member.send(support.abandon(4, 99)) == []


def test_compare_is_passed_on(member: Client) -> None:
    """Like a search."""
    (action,) = member.send(support.compare(2, BASE, "dc", "cjsm"))
    assert isinstance(action, Examine)


def test_who_am_i(member: Client) -> None:
    """The name behind the session (RFC 4532)."""
    (result,) = member.ask(support.extended(2, WHO_AM_I))
    assert (result.code, result.value) == (0, b"dn:uid=jane")


@pytest.mark.parametrize(
    ("oid", "code"),
    [
        ("1.2.3.4", ResultCode.PROTOCOL_ERROR),
        ("1.3.6.1.4.1.1466.20037", ResultCode.OPERATIONS_ERROR),
    ],
)
def test_other_extended_operations(member: Client, oid: str, code: ResultCode) -> None:
    """An unknown one is a protocol error (RFC 4511 §4.12); StartTLS inside TLS an error of order (§4.14.1)."""
    assert member.ask(support.extended(2, oid))[0].code == code


@pytest.mark.parametrize("operation", [Operation.ADD, Operation.MODIFY, Operation.DELETE, Operation.MODIFY_DN])
def test_updates_are_refused_in_words(member: Client, operation: Operation) -> None:
    """The directory is read only."""
    (result,) = member.ask(support.request(2, element_of(operation)))
    assert result.code == ResultCode.UNWILLING_TO_PERFORM
    assert result.answer is ANSWERS[operation]
    assert "managed by your administrator" in result.text


def test_controls(member: Client) -> None:
    """Unknown ones are refused when critical, else ignored; on Unbind never looked at (RFC 4511 §4.1.11)."""
    critical = support.control("1.2.3", critical=True)
    (result,) = member.ask(support.search(2, present("cn"), base=BASE, controls=[critical]))
    assert result.code == ResultCode.UNAVAILABLE_CRITICAL_EXTENSION
    for harmless in (support.control("1.2.3"), support.control("2.16.840.1.113730.3.4.2", critical=True)):
        message = decode(support.search(3, present("cn"), base=BASE, controls=[harmless]), DecodingLimits())
        assert isinstance(member.session.received(message)[0], Find)
        member.session.done(3, b"")
    octets = support.request(4, bytes((Operation.UNBIND, 0)), critical)
    assert isinstance(member.send(octets)[-1], HangUp)


def test_unbind_says_nothing(member: Client) -> None:
    """It stops what is at work and ends."""
    member.send(support.search(2, equal("cn", "x")))
    stop, sign_out, end = member.send(support.unbind(3))
    assert (stop, sign_out) == (Stop(2), SignOut())
    assert isinstance(end, HangUp)


def test_a_fault_is_announced(member: Client) -> None:
    """A Notice of Disconnection, then the end (RFC 4511 §4.4.1)."""
    actions = member.session.fault("not LDAP")
    (notice,) = said([action for action in actions if isinstance(action, Say)])
    assert (notice.id, notice.code, notice.oid) == (0, ResultCode.PROTOCOL_ERROR, NOTICE)
    assert isinstance(actions[-1], HangUp)
    assert member.session.fault("again") == []


def test_a_number_in_use_is_a_fault(member: Client) -> None:
    """Answers could not be told apart."""
    member.send(support.search(2, equal("cn", "x")))
    assert isinstance(member.send(support.search(2, equal("cn", "y")))[-1], HangUp)


def test_an_unexpected_failure_costs_one_operation(member: Client) -> None:
    """It is answered with 80, in words that say nothing of the inside."""
    member.send(support.search(2, equal("cn", "x")))
    (result,) = said(member.session.broken(2))
    assert (result.id, result.code) == (2, ResultCode.OTHER)
    assert member.session.broken(2) == []
    member.send(support.bind(3, "jane", b"x"))
    (result,) = said(member.session.broken(3))
    assert result.code == ResultCode.OTHER
    assert member.session.state is State.ANONYMOUS


def test_every_state_but_the_last_can_be_left() -> None:
    """The table has no dead end but the end."""
    left = {state for state, _ in TRANSITIONS}
    assert left == set(State) - {State.ENDED}
    assert set(TRANSITIONS.values()) == set(State)


def test_what_is_found_comes_whole(client: Client) -> None:
    """The answer to a root search is one entry and one result under the same number."""
    found, done = client.ask(support.search(77, present("objectClass"), scope=0))
    assert isinstance(found, Found)
    assert found.id == done.id == 77


def test_password_modify_is_work_for_others(client: Client, member: Client) -> None:
    """By whoever says whose it is and what it is now; a member need not say who it is. Nothing is taken beside it."""
    (action,) = client.send(support.password_modify(1, "jane", b"old", b"new"))
    assert action == Choose(1, "jane", b"old", b"new")
    assert "old" not in repr(action)
    for identity in ("u:jane", "dn:uid=jane"):
        (action,) = Client().send(support.password_modify(1, identity, b"old", b"new"))
        assert isinstance(action, Choose)
        assert action.name == identity.partition(":")[2]
    (action,) = member.send(support.password_modify(2, None, b"old", b"new"))
    assert action == Choose(2, JANE.removeprefix("dn:"), b"old", b"new")
    for octets in (support.bind(3), support.search(3, present("cn")), support.extended(3, WHO_AM_I)):
        assert not client.ready(octets)
    assert client.ready(support.unbind(3))
    (result,) = said(client.session.chosen(1))
    assert (result.id, result.answer, result.code, result.value) == (1, Answer.EXTENDED, 0, None)
    assert client.ready(support.bind(3))


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (support.password_modify(1, None, b"old", b"new"), ResultCode.UNWILLING_TO_PERFORM),
        (support.password_modify(1, "jane", None, b"new"), ResultCode.UNWILLING_TO_PERFORM),
        (support.password_modify(1, "jane", b"old", None), ResultCode.UNWILLING_TO_PERFORM),
        (support.password_modify(1, "jane", b"", b"new"), ResultCode.UNWILLING_TO_PERFORM),
        (support.password_modify(1, "j" * 5000, b"old", b"new"), ResultCode.UNWILLING_TO_PERFORM),
        (support.extended(1, PASSWORD_MODIFY), ResultCode.UNWILLING_TO_PERFORM),
        (support.extended(1, PASSWORD_MODIFY, b""), ResultCode.PROTOCOL_ERROR),
        (support.extended(1, PASSWORD_MODIFY, b"\x30\x05\x80\x09jane"), ResultCode.PROTOCOL_ERROR),
        (support.extended(1, PASSWORD_MODIFY, b"\x30\x03\x83\x01x"), ResultCode.PROTOCOL_ERROR),
    ],
)
def test_password_modify_without_what_it_needs(client: Client, octets: bytes, code: ResultCode) -> None:
    """Is answered at once, as an extended operation."""
    (result,) = client.ask(octets)
    assert (result.answer, result.code) == (Answer.EXTENDED, code)
    assert client.session.idle


def test_guessing_old_passwords_ends_the_connection(client: Client) -> None:
    """As guessing at binds does, and together with it; a bad new one is no guess."""
    client.send(support.password_modify(1, "jane", b"x", b"new"))
    assert len(client.session.not_chosen(1, ResultCode.CONSTRAINT_VIOLATION, "too short")) == 1
    for count in (2, 3):
        client.send(support.password_modify(count, "jane", b"x", b"new"))
        (answer,) = said(client.session.not_chosen(count, ResultCode.INVALID_CREDENTIALS, "no"))
        assert (answer.answer, answer.code) == (Answer.EXTENDED, 49)
    client.send(support.bind(4, "jane", b"x"))
    *_, end = client.session.refused(4, ResultCode.INVALID_CREDENTIALS, "no")
    assert isinstance(end, HangUp)


# Before TLS.

START_TLS = "1.3.6.1.4.1.1466.20037"


@pytest.fixture
def clear() -> Client:
    """A session that begins without TLS."""
    return Client(secure=False)


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (support.bind(1, "jane", b"secret"), ResultCode.CONFIDENTIALITY_REQUIRED),
        (support.bind(1, "jane", b""), ResultCode.CONFIDENTIALITY_REQUIRED),
        (support.sasl(1, "PLAIN", None), ResultCode.CONFIDENTIALITY_REQUIRED),
        (support.sasl(1, "PLAIN", b"\0jane\0secret"), ResultCode.CONFIDENTIALITY_REQUIRED),
        (support.sasl(1, "GSSAPI", b"x"), ResultCode.CONFIDENTIALITY_REQUIRED),
        (support.search(1, present("cn"), base=BASE), ResultCode.CONFIDENTIALITY_REQUIRED),
        (support.search(1, present("cn")), ResultCode.CONFIDENTIALITY_REQUIRED),
        (support.compare(1, BASE, "dc", "cjsm"), ResultCode.CONFIDENTIALITY_REQUIRED),
        (support.password_modify(1, "jane", b"old", b"new"), ResultCode.CONFIDENTIALITY_REQUIRED),
        (support.request(1, bytes((Operation.ADD, 2)) + b"xx"), ResultCode.CONFIDENTIALITY_REQUIRED),
        (support.bind(1), ResultCode.SUCCESS),
        (support.extended(1, WHO_AM_I), ResultCode.SUCCESS),
        (support.extended(1, START_TLS, b"x"), ResultCode.PROTOCOL_ERROR),
    ],
)
def test_nothing_that_is_anybodys_before_tls(clear: Client, octets: bytes, code: ResultCode) -> None:
    """Neither passwords nor people; who is nobody may say so."""
    (result,) = clear.ask(octets)
    assert result.code == code
    assert ("StartTLS" in result.text) == (code is ResultCode.CONFIDENTIALITY_REQUIRED)
    assert clear.session.state is State.CLEAR


def test_the_root_says_that_tls_may_begin(clear: Client, client: Client) -> None:
    """Where it may; the root is read before TLS to find that out (RFC 4513 §3.1)."""
    for asked, offered in ((clear, True), (client, False)):
        entry, _ = asked.ask(support.search(1, present("objectClass"), scope=0, attributes=["supportedExtension"]))
        assert (START_TLS in entry.attributes["supportedExtension"]) == offered


def test_tls_begins_once(clear: Client) -> None:
    """Nothing is taken until it has; inside it, it cannot begin again (RFC 4511 §4.14)."""
    (action,) = clear.send(support.extended(1, START_TLS))
    assert isinstance(action, StartTls)
    (answer,) = support.answers(action.octets)
    assert (answer.id, answer.code, answer.oid) == (1, ResultCode.SUCCESS, START_TLS)
    assert clear.session.state is State.STARTING_TLS
    assert not clear.ready(support.bind(2, "jane", b"secret"))
    clear.session.secured()
    assert clear.session.state is State.ANONYMOUS
    (again,) = clear.ask(support.extended(2, START_TLS))
    assert again.code == ResultCode.OPERATIONS_ERROR
    clear.sign_in()
    (again,) = clear.ask(support.extended(3, START_TLS))
    assert again.code == ResultCode.OPERATIONS_ERROR
    assert clear.session.state is State.SIGNED_IN
