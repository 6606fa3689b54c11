"""One message to another server: what is said, in what order, and what is made of the answers."""

from collections.abc import Coroutine
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed

from cjsm.mail.envelope import NO_WISH, Demands, Notify, Returned, Wish
from cjsm.mail.sending import Addressee, Outcome, Parcel, Sent
from cjsm.smtp.replies import Answer, Capabilities
from cjsm.smtp.transaction import Transaction

ALL = ("PIPELINING", "CHUNKING", "8BITMIME", "SIZE", "DSN", "SMTPUTF8", "REQUIRETLS")
TEXT = b"Subject: x\r\n\r\n.dot\r\n"


class Ended(Exception):
    """The connection is over."""


class Server:
    """Answers commands by their verbs; keeps what it was sent."""

    def __init__(self, **answers: str) -> None:
        self.said = b""
        self.ended = ""
        self.watched: bool | None = None
        self._answers = answers
        self._waiting: list[bytes] = []

    def write(self, octets: bytes) -> None:
        self.said += octets
        if octets.startswith((b"MAIL", b"RCPT", b"DATA", b"BDAT", b"RSET")):
            self._waiting += [line for line in octets.split(b"\r\n") if line]
        elif octets == b".\r\n":
            self._waiting.append(b".")

    def outflow(self, *, watched: bool) -> "Out":
        self.watched = watched
        return Out(self)

    async def answer(self) -> Answer:
        if self.ended:
            raise Ended(self.ended)
        verb = (self._waiting.pop(0) if self._waiting else b".").decode()
        said = next((words for key, words in self._answers.items() if key in verb), "")
        said = said or ("354 go on" if verb == "DATA" else "250 2.0.0 fine")
        return Answer(int(said[:3]), (said[4:],))

    def end(self, why: str) -> None:
        self.ended = why


class Out:
    """Takes the text, which is no commands."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def write(self, octets: bytes) -> None:
        self._server.said += octets

    def close(self) -> None:
        """Nothing to give back."""


class Text:
    """A message's octets."""

    def __init__(self, octets: bytes) -> None:
        self._left = octets

    def read(self, most: int) -> "Deferred[bytes]":
        piece, self._left = self._left[:most], self._left[most:]
        return succeed(piece)


def parcel(*addresses: str, demands: Demands = Demands(), wish: Wish = NO_WISH, text: bytes = TEXT) -> Parcel:  # noqa: B008
    """A message to *addresses*."""
    named = addresses or ("jo@firm.example",)
    return Parcel(
        reverse_path="sam@avon.test",
        addressees=tuple(Addressee(index=index, address=address, wish=wish) for index, address in enumerate(named)),
        demands=demands,
        octets=len(text),
        pieces=Text(text),
    )


def run(server: Server, sent: Parcel, *offers: str, size: int = 0, recipients: int = 0) -> Sent:
    """Send it; every answer is there at once."""
    capabilities = Capabilities(frozenset(offers), size=size, recipients=recipients)
    work: Coroutine[Any, Any, Sent] = Transaction(server, capabilities, sent).run()  # type: ignore[arg-type]  # what it needs
    results: list[Any] = []
    Deferred.fromCoroutine(work).addBoth(results.append)
    (result,) = results
    if not isinstance(result, Sent):
        result.raiseException()
    return result  # type: ignore[no-any-return]  # raised above


def codes(sent: Sent) -> dict[int, int]:
    return {index: outcome.code for index, outcome in sent.outcomes.items()}


@pytest.mark.parametrize(
    ("offers", "said"),
    [
        (
            ALL,
            b"MAIL FROM:<sam@avon.test> SIZE=20 BODY=8BITMIME\r\nRCPT TO:<jo@firm.example>\r\nBDAT 20 LAST\r\n" + TEXT,
        ),
        (
            ("PIPELINING",),
            b"MAIL FROM:<sam@avon.test>\r\nRCPT TO:<jo@firm.example>\r\nDATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\n",
        ),
        ((), b"MAIL FROM:<sam@avon.test>\r\nRCPT TO:<jo@firm.example>\r\nDATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\n"),
        (("CHUNKING",), b"MAIL FROM:<sam@avon.test>\r\nRCPT TO:<jo@firm.example>\r\nBDAT 20 LAST\r\n" + TEXT),
    ],
)
def test_what_is_said(offers: tuple[str, ...], said: bytes) -> None:
    """As few turns as the server lets us, dots doubled where a dot ends the text."""
    server = Server()
    assert codes(run(server, parcel(), *offers)) == {0: 250}
    assert server.said == said


@pytest.mark.parametrize("offers", [ALL, ("PIPELINING",), ()])
def test_recipients_that_are_refused(offers: tuple[str, ...]) -> None:
    """Each has its own outcome; the others get the text."""
    server = Server(**{"<b@": "550 5.1.1 nobody", "<c@": "450 4.2.1 busy"})
    sent = run(server, parcel("a@x.y", "b@x.y", "c@x.y"), *offers)
    assert codes(sent) == {0: 250, 1: 550, 2: 450}
    assert sent.outcomes[1] == Outcome(code=550, status="5.1.1", text="550 5.1.1 nobody")
    assert b"dot" in server.said


@pytest.mark.parametrize("offers", [("PIPELINING",), ()])
def test_nobody_is_left(offers: tuple[str, ...]) -> None:
    """No octet of the text is sent."""
    server = Server(RCPT="550 5.1.1 nobody")
    assert codes(run(server, parcel(), *offers)) == {0: 550}
    assert b"Subject" not in server.said


@pytest.mark.parametrize("offers", [ALL, ("PIPELINING",), ()])
@pytest.mark.parametrize("said", ["550 5.7.1 not you", "451 4.7.1 later"])
def test_a_sender_that_is_refused(offers: tuple[str, ...], said: str) -> None:
    """Everybody's outcome."""
    server = Server(MAIL=said, RCPT="503 MAIL first", DATA="503 MAIL first", BDAT="503 MAIL first")
    assert codes(run(server, parcel("a@x.y", "b@x.y"), *offers)) == {0: int(said[:3]), 1: int(said[:3])}


@pytest.mark.parametrize(
    ("demands", "offers", "status"),
    [
        (Demands(require_tls=True), ("SMTPUTF8",), "5.7.30"),
        (Demands(smtputf8=True), ("8BITMIME",), "5.6.7"),
        (Demands(eight_bit=True), ("PIPELINING",), "5.6.3"),
    ],
)
def test_what_a_server_cannot_do(demands: Demands, offers: tuple[str, ...], status: str) -> None:
    """Nothing is said, and the sender hears why."""
    server = Server()
    sent = run(server, parcel(demands=demands), *offers)
    assert (sent.outcomes[0].status, sent.outcomes[0].ours, server.said) == (status, True, b"")


def test_an_address_of_utf8() -> None:
    """It needs a server that takes it, and that is told so, whatever the sender said (RFC 6531 section 3.4)."""
    from_jörg = parcel()
    from_jörg.reverse_path = "jörg@avon.test"
    for sent in (parcel("jörg@firm.example"), from_jörg):
        assert run(Server(), sent, "8BITMIME").outcomes[0].status == "5.6.7"
        server = Server()
        assert codes(run(server, sent, "SMTPUTF8")) == {0: 250}
        assert server.said.partition(b"\r\n")[0].endswith(b" SMTPUTF8")


def test_too_large() -> None:
    """The server said how much it takes."""
    sent = run(Server(), parcel(), "SIZE", size=19)
    assert (sent.outcomes[0].code, sent.outcomes[0].status) == (550, "5.3.4")
    assert codes(run(Server(), parcel(), "SIZE", size=20)) == {0: 250}


def test_what_the_sender_asked_for() -> None:
    """It is passed on where the server knows it, else left out."""
    demands = Demands(envelope_id="QQ", returned=Returned.FULL, smtputf8=True, require_tls=True)
    wish = Wish(notify=frozenset({Notify.SUCCESS, Notify.FAILURE}), original="rfc822;j@x")
    server = Server()
    assert run(server, parcel(demands=demands, wish=wish), *ALL).passes_reports_on
    assert b" SMTPUTF8 REQUIRETLS RET=FULL ENVID=QQ\r\n" in server.said
    assert b"<jo@firm.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;j@x\r\n" in server.said
    plain = Server()
    assert not run(plain, parcel(wish=wish), "PIPELINING").passes_reports_on
    assert b"NOTIFY" not in plain.said


@pytest.mark.parametrize(
    ("offers", "watched"), [(ALL, False), (("PIPELINING",), True), (("CHUNKING",), True), ((), True)]
)
def test_when_no_answer_is_due(offers: tuple[str, ...], watched: bool) -> None:
    """Only where all is said in one go may answers come while the text is on its way."""
    server = Server()
    assert codes(run(server, parcel(), *offers)) == {0: 250}
    assert server.watched is watched


@pytest.mark.parametrize("offers", [ALL, ("PIPELINING",), ("CHUNKING",), ()])
def test_no_more_recipients_than_the_server_takes(offers: tuple[str, ...]) -> None:
    """The rest is left for another message (RFC 9422)."""
    server = Server()
    assert codes(run(server, parcel("a@x.y", "b@x.y", "c@x.y"), *offers, recipients=2)) == {0: 250, 1: 250}
    assert server.said.count(b"RCPT TO") == 2
    assert b"<c@" not in server.said
    refused = Server(MAIL="451 4.7.1 later", RCPT="503 5.5.1 no", DATA="503 5.5.1 no", BDAT="503 5.5.1 no")
    assert codes(run(refused, parcel("a@x.y", "b@x.y", "c@x.y"), *offers, recipients=2)) == {0: 451, 1: 451}


@pytest.mark.parametrize("offers", [ALL, ("PIPELINING",), ("CHUNKING",), ()])
@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("452 4.5.3 too many recipients", True),
        ("452 too many recipients", True),
        ("552 5.5.3 too many recipients", True),
        ("452 4.2.2 mailbox full", False),
        ("450 4.5.3 odd", False),
        ("552 5.2.2 mailbox full", False),
    ],
)
def test_too_many_recipients(offers: tuple[str, ...], said: str, left: bool) -> None:
    """Those who came behind one who was taken are left for another message (RFC 5321 section 4.5.3.1.10)."""
    server = Server(**{"<b@": said, "<c@": said})
    found = codes(run(server, parcel("a@x.y", "b@x.y", "c@x.y"), *offers))
    assert found == ({0: 250} if left else {0: 250, 1: int(said[:3]), 2: int(said[:3])})
    alone = codes(run(Server(RCPT=said, DATA="554 nobody", BDAT="554 nobody"), parcel("b@x.y"), *offers))
    assert alone == {0: int(said[:3])}


@pytest.mark.parametrize("demands", [Demands(require_tls=True), Demands(smtputf8=True)])
def test_what_no_other_message_makes_possible(demands: Demands) -> None:
    """Everybody hears of it at once."""
    assert set(codes(run(Server(), parcel("a@x.y", "b@x.y", demands=demands), recipients=1))) == {0, 1}


def test_250_to_data() -> None:
    """A server that skips the text has not got it."""
    server = Server(DATA="250 done")
    sent = run(server, parcel(), "PIPELINING")
    assert codes(sent) == {0: 450}
    assert server.ended
    assert b"Subject" not in server.said


def test_large_chunks() -> None:
    """A large text goes in chunks, each answered before the next; a refusal ends it."""
    text = b"x" * 70 + b"\r\n"
    large = text * 40_000
    server = Server()
    assert codes(run(server, parcel(text=large), *ALL)) == {0: 250}
    assert server.said.count(b"BDAT 1048576\r\n") == 2
    assert server.said.endswith(b"x\r\n")
    stopped = Server(BDAT="552 5.3.4 enough")
    assert codes(run(stopped, parcel(text=large), *ALL)) == {0: 552}
    assert stopped.said.count(b"BDAT") == 1
    assert stopped.said.endswith(b"RSET\r\n")
