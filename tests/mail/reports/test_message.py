"""Whole reports: any mail program reads them, people too, and no text of others can be more than text."""

import email
import re
import time
from email.message import EmailMessage
from email.policy import SMTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.configuration import MailSettings
from cjsm.mail.envelope import Notify, Returned
from cjsm.mail.header import HeaderReader
from cjsm.mail.notifications import encode_xtext
from cjsm.mail.reports.facts import Action, Enclosure, RecipientReport, Reporter, Subject, enclosed
from cjsm.mail.reports.message import report

NOW = 1_780_000_200
UNIQUE = bytes(range(16))
BOUNDARY = f"=_{UNIQUE.hex()}"
REPORTER = Reporter(host="mail.cjsm.test", postmaster="postmaster@cjsm.test")
ORIGINAL = b"From: jo@avon.cjsm.test\r\nSubject: Bail hearing\r\n\r\nSee you at ten.\r\n"
HEADER = ORIGINAL.partition(b"\r\n\r\n")[0] + b"\r\n"
FULL, HEADERS = Enclosure(what=Returned.FULL), Enclosure(what=Returned.HEADERS)

#: Text that a peer or a sender might wish to be more than text.
pieces = st.sampled_from(
    [
        *(
            f"\r\n--{BOUNDARY}--\r\n",
            f"--{BOUNDARY}",
            "\r\nBcc: all@evil.example\r\n",
            "\r\n\r\n",
            "\r\nAction: delivered\r\n",
        ),
        *(
            "\n",
            "\r",
            "\0",
            "\x1b[31m",
            "\u202e",
            "\u2028",
            "\x85",
            " ",
            "\t",
            ".",
            "\r\n.\r\n",
            "=",
            "=_",
            "=?utf-8?q?x?=",
        ),
        *("ö", "日本", "😀", "\ud800", "x" * 300, "w " * 300, '"', "<a@b>", "(", ";", "550 5.1.1 ", "From ", ","),
    ]
)
hostile = st.lists(pieces, max_size=6).map("".join) | st.text(max_size=40)
moments = st.none() | st.integers(0, 4_000_000_000)
recipients_ = st.builds(
    RecipientReport,
    final_recipient=hostile | st.sampled_from(["bob@firm.co.uk.cjsm.test", "jö@firm.co.uk.cjsm.test"]),
    action=st.sampled_from(Action),
    status=hostile | st.sampled_from(["5.1.1", "4.4.7", "2.1.5", "5.999.999"]),
    original=hostile
    | hostile.map(lambda text: f"rfc822;{encode_xtext(text)}")
    | hostile.map(lambda text: f"utf-8;{text}"),
    reason=hostile,
    diagnostic=hostile,
    remote=hostile,
    last_attempt=moments,
    retry_until=moments,
)
subjects = st.builds(
    Subject,
    reverse_path=(hostile | st.just("jo@avon.cjsm.test")).filter(bool),
    arrival=st.integers(0, 4_000_000_000),
    envelope_id=hostile | hostile.map(encode_xtext),
    message_id=hostile | hostile.map(lambda text: f"<{text}@b>"),
)
enclosures = st.none() | st.builds(
    Enclosure, what=st.sampled_from(Returned), eight_bit=st.booleans(), utf8=st.booleans()
)


def written(
    *recipients: RecipientReport,
    enclosure: Enclosure | None = None,
    returned: bytes = b"",
    subject: Subject | None = None,
) -> bytes:
    about = subject or Subject(reverse_path="jo@avon.cjsm.test", arrival=NOW - 60, message_id="<a1@avon.cjsm.test>")
    made = report(about, recipients, reporter=REPORTER, enclosure=enclosure, now=NOW, unique=UNIQUE)
    return made.before + returned + made.after


def parsed(octets: bytes) -> EmailMessage:
    message = email.message_from_bytes(octets, policy=SMTP)
    assert isinstance(message, EmailMessage)
    return message


def part(message: EmailMessage, number: int) -> EmailMessage:
    found = message.get_payload(number)
    assert isinstance(found, EmailMessage)
    return found


def status(message: EmailMessage) -> list[dict[str, str]]:
    """The groups of fields of the part for programs."""
    groups = part(message, 1).get_payload()
    assert isinstance(groups, list)
    return [{name: str(value) for name, value in group.items()} for group in groups]  # type: ignore[union-attr]


def failed(**more: str | int) -> RecipientReport:
    known = {"final_recipient": "bob@firm.co.uk.cjsm.test", "action": Action.FAILED, "status": "5.1.1", **more}
    return RecipientReport(**known)  # type: ignore[arg-type]


OF_MESSAGE = {"Reporting-MTA", "Original-Envelope-Id", "Arrival-Date"}
OF_RECIPIENT = {
    *("Original-Recipient", "Final-Recipient", "Action", "Status", "Remote-MTA", "Diagnostic-Code"),
    *("Last-Attempt-Date", "Will-Retry-Until"),
}
HEAD = {"Date", "From", "To", "Subject", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"}


@given(subjects, st.lists(recipients_, min_size=1, max_size=3), enclosures)
def test_nothing_in_a_report_is_more_than_text(
    subject: Subject, recipients: list[RecipientReport], enclosure: Enclosure | None
) -> None:
    """Its structure is the same whatever a peer said: these fields, these parts, these groups, once each."""
    returned = HEADER if enclosure is not None and enclosure.what is Returned.HEADERS else ORIGINAL
    octets = written(*recipients, enclosure=enclosure, returned=returned if enclosure else b"", subject=subject)
    message = parsed(octets)
    assert not message.defects
    names = list(message.keys())
    assert len(names) == len(set(names))
    assert HEAD <= set(names) <= HEAD | {"In-Reply-To", "References", "Content-Transfer-Encoding"}
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    kinds = [each.get_content_type() for each in message.iter_parts()]
    assert kinds[:2] == ["text/plain", "message/delivery-status"]
    assert len(kinds) == (2 if enclosure is None else 3)
    groups = status(message)
    assert len(groups) == len(recipients) + 1
    assert set(groups[0]) <= OF_MESSAGE
    for group, recipient in zip(groups[1:], recipients, strict=True):
        assert {"Final-Recipient", "Action", "Status"} <= set(group) <= OF_RECIPIENT
        assert group["Action"] == recipient.action
        assert re.fullmatch(r"[245]\.\d{1,3}\.\d{1,3}", group["Status"])
        assert ("Will-Retry-Until" in group) == (
            recipient.action is Action.DELAYED and recipient.retry_until is not None
        )


@given(subjects, st.lists(recipients_, min_size=1, max_size=3), enclosures)
def test_lines_are_lines(subject: Subject, recipients: list[RecipientReport], enclosure: Enclosure | None) -> None:
    """CRLF only, 998 octets at most, no control characters, and only delimiters look like delimiters."""
    made = report(subject, recipients, reporter=REPORTER, enclosure=enclosure, now=NOW, unique=UNIQUE)
    octets = made.before + made.after
    for line in octets.split(b"\r\n"):
        assert len(line) <= 998
        assert not re.search(rb"[\x00-\x1f\x7f]", line)
        assert not line.startswith(f"--{BOUNDARY}".encode()) or line in (
            f"--{BOUNDARY}".encode(),
            f"--{BOUNDARY}--".encode(),
        )
        assert line.isascii() or line.startswith((b"To: ", b" <"))
    head, _, _ = octets.partition(b"\r\n\r\n")
    assert head.isascii() == subject.reverse_path.isascii() or not subject.reverse_path.isprintable()
    assert len(re.findall(rb"(?m)^--=_", octets)) == (3 if enclosure is None else 4)


@given(subjects, st.lists(recipients_, min_size=1, max_size=2))
def test_our_own_reader_takes_a_report(subject: Subject, recipients: list[RecipientReport]) -> None:
    """As every message that comes in."""
    made = report(subject, recipients, reporter=REPORTER, enclosure=None, now=NOW, unique=UNIQUE)
    assert HeaderReader(MailSettings()).feed(made.before) is not None


@given(st.binary(max_size=200))
def test_what_is_returned_stays_octet_for_octet(returned: bytes) -> None:
    """Whatever it is, as long as nobody who wrote it knew the boundary."""
    made = report(
        Subject(reverse_path="jo@avon.cjsm.test", arrival=NOW),
        [failed()],
        reporter=REPORTER,
        enclosure=Enclosure(what=Returned.FULL, eight_bit=True),
        now=NOW,
        unique=UNIQUE,
    )
    octets = made.before + returned + made.after
    third = octets.split(f"\r\n--{BOUNDARY}".encode())[3]
    assert third == b"\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + returned


def test_the_head_of_a_report() -> None:
    """From the helpdesk to the sender, marked as automatic, in the thread of the message."""
    message = parsed(written(failed()))
    assert str(message["From"]) == "Mail service <postmaster@cjsm.test>"
    assert [address.addr_spec for address in message["To"].addresses] == ["jo@avon.cjsm.test"]
    assert message["Subject"] == "Your message could not be delivered"
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["Date"] == "Thu, 28 May 2026 20:30:00 +0000"
    assert message["Message-ID"] == f"<{UNIQUE.hex()}@mail.cjsm.test>"
    assert message["In-Reply-To"] == message["References"] == "<a1@avon.cjsm.test>"
    assert message["MIME-Version"] == "1.0"


@pytest.mark.parametrize(
    ("actions", "line"),
    [
        ((Action.DELIVERED,), "Your message was delivered"),
        ((Action.DELIVERED, Action.RELAYED), "Your message was passed on"),
        ((Action.EXPANDED,), "Your message was sent to the members of a list"),
        ((Action.DELIVERED, Action.DELAYED), "Your message is delayed"),
        ((Action.DELIVERED, Action.DELAYED, Action.FAILED), "Your message could not be delivered"),
    ],
)
def test_the_subject_is_the_worst_that_happened(actions: tuple[Action, ...], line: str) -> None:
    """Whoever reads subjects only learns what needs care."""
    reports = [RecipientReport(final_recipient="b@c.cjsm.test", action=each) for each in actions]
    assert parsed(written(*reports))["Subject"] == line


def test_the_part_for_programs() -> None:
    """All fields, decoded where the standard says so."""
    subject = Subject(reverse_path="jo@avon.cjsm.test", arrival=NOW - 60, envelope_id="QQ+2B1+20x", message_id="")
    told = failed(
        original="rfc822;Bob+2Bx@firm.co.uk.cjsm.test",
        diagnostic="550-5.1.1 <bob@firm.co.uk>\r\n550 5.1.1 M\xfcller is unknown",
        remote="mx.firm.co.uk",
        last_attempt=NOW - 30,
        retry_until=NOW,
    )
    waits = RecipientReport(
        final_recipient="j\xf6@force.police.uk.cjsm.test",
        action=Action.DELAYED,
        diagnostic="connection timed out",
        retry_until=NOW + 3600,
    )
    octets = written(told, waits, subject=subject)
    assert status(parsed(octets)) == [
        {
            "Reporting-MTA": "dns; mail.cjsm.test",
            "Original-Envelope-Id": "QQ+1 x",
            "Arrival-Date": "Thu, 28 May 2026 20:29:00 +0000",
        },
        {
            "Original-Recipient": "rfc822; Bob+x@firm.co.uk.cjsm.test",
            "Final-Recipient": "rfc822; bob@firm.co.uk.cjsm.test",
            "Action": "failed",
            "Status": "5.1.1",
            "Remote-MTA": "dns; mx.firm.co.uk",
            "Diagnostic-Code": "smtp; 550-5.1.1 <bob@firm.co.uk> 550 5.1.1 M\\x{FC}ller is unknown",
            "Last-Attempt-Date": "Thu, 28 May 2026 20:29:30 +0000",
        },
        {
            "Final-Recipient": "utf-8; j\\x{F6}@force.police.uk.cjsm.test",
            "Action": "delayed",
            "Status": "4.0.0",
            "Diagnostic-Code": "x-cjsm; connection timed out",
            "Will-Retry-Until": "Thu, 28 May 2026 21:30:00 +0000",
        },
    ]


@pytest.mark.parametrize("original", ["", "bob@example", "rfc822;a+0D+0ABcc:+20x", "rfc822;", "x y;z"])
def test_a_malformed_orcpt_is_left_out(original: str) -> None:
    """Nothing is said rather than something else."""
    assert "Original-Recipient" not in status(parsed(written(failed(original=original))))[1]


def test_the_part_for_people() -> None:
    """What happened, to whom, why, what to do; the peer's words in quotation marks."""
    told = failed(
        original="rfc822;all+2Bus@avon.cjsm.test",
        diagnostic="550 5.1.1 Kein Nutzer \xfc\u202e\x1b",
        remote="mx.firm.co.uk",
    )
    text = part(parsed(written(told)), 0).get_content()
    assert text.splitlines() == [
        "This is a report on a message that you sent, from mail.cjsm.test.",
        "",
        "Your message could not be delivered to:",
        "",
        "  bob@firm.co.uk.cjsm.test",
        "    You wrote to: all+us@avon.cjsm.test",
        "    Why: there is no such address.",
        "    What to do: Check the address, for example in the directory, and",
        "      send the message again.",
        '    The mail server mx.firm.co.uk said: "550 5.1.1 Kein Nutzer ü"',
        "",
        "The message:",
        "",
        "  Taken: 28 May 2026 at 20:29 UTC",
        "  Message-ID: <a1@avon.cjsm.test>",
        "",
        "Nothing of the message itself is in this report. If you need help,",
        "answer this report: it reaches the helpdesk.",
    ]


@pytest.mark.parametrize(
    ("action", "code", "words"),
    [
        (Action.FAILED, "5.2.2", "the mailbox is full. Try again later"),
        (Action.FAILED, "5.3.4", "the message is too large. Send a smaller message"),
        (Action.FAILED, "4.4.7", "could not be reached. Try again later"),
        (Action.FAILED, "5.7.1", "does not allow it. Ask the person's organisation or the helpdesk"),
        (Action.FAILED, "", "did not take it. Try again."),
        (Action.DELAYED, "4.4.1", "You need not send it again. If it is urgent, reach the person another way."),
        (Action.RELAYED, "2.0.0", "You will hear of it again only if something goes wrong."),
        (Action.EXPANDED, "2.0.0", "reached this list and was sent to its members"),
        (Action.DELIVERED, "2.0.0", "was delivered to"),
    ],
)
def test_people_are_told_what_to_do(action: Action, code: str, words: str) -> None:
    """By what the status code stands for."""
    octets = written(RecipientReport(final_recipient="bob@firm.co.uk.cjsm.test", action=action, status=code))
    text = " ".join(part(parsed(octets), 0).get_content().split()).replace("What to do: ", "")
    assert words in text
    assert ("Why:" in text) == (action in (Action.FAILED, Action.DELAYED))


def test_our_own_reason_stands_before_what_a_code_stands_for() -> None:
    """It knows better."""
    text = part(parsed(written(failed(reason="nobody took it for two days."))), 0).get_content()
    assert "Why: nobody took it for two days." in text
    assert "no such address" not in text


@pytest.mark.parametrize(
    ("enclosure", "returned", "kind", "words"),
    [
        (FULL, ORIGINAL, "message/rfc822", "The message is attached."),
        (HEADERS, HEADER, "text/rfc822-headers", "The header of the message is attached."),
        (Enclosure(what=Returned.FULL, utf8=True), ORIGINAL, "message/global", "The message is attached."),
        (Enclosure(what=Returned.HEADERS, utf8=True), HEADER, "message/global-headers", "The header of the message"),
    ],
)
def test_what_is_returned_has_its_type(enclosure: Enclosure, returned: bytes, kind: str, words: str) -> None:
    """And people are told of it. Where it is not ASCII, the whole says so (RFC 2045 §6.4)."""
    message = parsed(written(failed(), enclosure=enclosure, returned=returned))
    assert part(message, 2).get_content_type() == kind
    assert b"Subject: Bail hearing" in part(message, 2).as_bytes()
    assert words in part(message, 0).get_content()
    assert (message["Content-Transfer-Encoding"] == "8bit") == enclosure.utf8
    assert (part(message, 2)["Content-Transfer-Encoding"] == "8bit") == enclosure.utf8


def test_a_whole_message_is_returned_only_when_something_failed() -> None:
    """And only where it was asked for (RFC 3461 §4.3)."""
    fine = RecipientReport(final_recipient="a@b.cjsm.test", action=Action.DELIVERED)
    assert enclosed(Returned.FULL, [fine, failed()]) is Returned.FULL
    assert enclosed(Returned.FULL, [fine]) is Returned.HEADERS
    assert enclosed(Returned.HEADERS, [failed()]) is Returned.HEADERS
    assert enclosed(None, [failed()]) is Returned.HEADERS


def test_what_each_action_is_asked_for_with() -> None:
    """So that NOTIFY decides whether it is told."""
    asked = {each: each.notify for each in Action}
    assert asked.pop(Action.FAILED) is Notify.FAILURE
    assert asked.pop(Action.DELAYED) is Notify.DELAY
    assert set(asked.values()) == {Notify.SUCCESS}


def test_nobody_is_told_of_a_report() -> None:
    """The null reverse-path gets none; a report about nobody, or with a boundary that can be guessed, is a mistake."""
    subject = Subject(reverse_path="jo@avon.cjsm.test", arrival=NOW)
    for about, recipients, unique in (
        (Subject(reverse_path="", arrival=NOW), [failed()], UNIQUE),
        (subject, [], UNIQUE),
        (subject, [failed()], b""),
        (subject, [failed()], b"short"),
    ):
        with pytest.raises(ValueError, match="report"):
            report(about, recipients, reporter=REPORTER, enclosure=None, now=NOW, unique=unique)


@pytest.mark.parametrize("service", ["CJSM, helpdesk", 'The "service"', "Gwasanaeth post y ll\u0177s"])
def test_the_service_may_have_any_name(service: str) -> None:
    """Specials are quoted, letters beyond ASCII encoded."""
    reporter = Reporter(host="mail.cjsm.test", postmaster="postmaster@cjsm.test", service=service)
    subject = Subject(reverse_path="jo@avon.cjsm.test", arrival=NOW)
    made = report(subject, [failed()], reporter=reporter, enclosure=None, now=NOW, unique=UNIQUE)
    (address,) = parsed(made.before + made.after)["From"].addresses
    assert (address.display_name, address.addr_spec) == (service, "postmaster@cjsm.test")


def test_a_report_on_many_recipients_is_made_soon() -> None:
    """Ten times as many, with long words from the other side, take ten times as long, not a hundred times."""

    def seconds(recipients: int) -> float:
        told = [failed(diagnostic="550 5.1.1 " + "word " * 1000, remote="mx.firm.co.uk") for _ in range(recipients)]
        before = time.process_time()
        written(*told)
        return time.process_time() - before

    few, many = (min(seconds(recipients) for _ in range(3)) for recipients in (50, 500))
    assert many < 40 * few
