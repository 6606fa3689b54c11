"""The header section: read alike however it arrives, within limits, and edited field by field."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.configuration import MailSettings
from cjsm.mail.header import Field, Header, HeaderReader
from cjsm.mail.interfaces import Refused

SETTINGS = MailSettings(header_octets=300, header_fields=12, received_fields=3)
FROM = b"From: jo@avon.cjsm.test\r\n"

names = st.sampled_from([b"X-One", b"x-two", b"Subject", b"Received", b"To", b"Bcc", b"From", b"DATE"])
words = st.text(st.characters(blacklist_characters="\r\n\0", blacklist_categories=["Cs"]), max_size=20).map(str.encode)
folds = st.tuples(st.sampled_from([b" ", b"\t", b" \t "]), words.filter(lambda word: word.strip(b" \t"))).map(b"".join)


@st.composite
def fields(draw: st.DrawFn) -> bytes:
    """One field in good form, perhaps folded."""
    lines = [draw(names) + b":" + draw(words), *draw(st.lists(folds, max_size=2))]
    return b"".join(line + b"\r\n" for line in lines)


#: Good and bad sections, with and without an end.
sections = st.builds(
    lambda found, noise, end: FROM + b"".join(found) + noise + end,
    st.lists(fields(), max_size=14),
    st.sampled_from([b"", b"", b"", b"no field\r\n", b" folded\r\n", b"X: \r", b"X : y\r\n", b"X: \n\r\n"]),
    st.sampled_from([b"", b"\r\n", b"\r\nbody", b"\r\n\r\n", b"\r\nFrom: evil\r\n\r\n"]),
)


def read(octets: bytes, cuts: list[int] | None = None, settings: MailSettings = SETTINGS) -> tuple[Header, bytes] | str:
    """The header and what followed it, or the refusal, of *octets* that arrive cut at *cuts*."""
    reader = HeaderReader(settings)
    edges = [0, *sorted(cut for cut in set(cuts or []) if cut < len(octets)), len(octets)]
    found: tuple[Header, bytes] | None = None
    try:
        for start, end in pairwise(edges):
            piece = octets[start:end]
            found = reader.feed(piece) if found is None else (found[0], found[1] + piece)
        return found or (reader.finish(), b"")
    except Refused as refused:
        return str(refused)


def header(octets: bytes) -> Header:
    found = read(octets + b"\r\n", settings=MailSettings())
    assert not isinstance(found, str)
    return found[0]


def code(octets: bytes, settings: MailSettings = SETTINGS) -> str:
    """The refusal of a whole section; empty where it is taken."""
    found = read(octets, settings=settings)
    return found if isinstance(found, str) else ""


@given(sections, st.lists(st.integers(0, 400), max_size=12))
def test_every_chunking_reads_alike(octets: bytes, cuts: list[int]) -> None:
    """The same header, rest and refusal, wherever the network cuts."""
    assert read(octets, cuts) == read(octets)


@given(sections)
def test_octet_by_octet_reads_alike(octets: bytes) -> None:
    """Every edge at once."""
    assert read(octets, list(range(len(octets)))) == read(octets)


@pytest.mark.parametrize("length", range(292, 306))
def test_the_size_limit_is_the_same_for_every_chunking(length: int) -> None:
    """At the very edge too, where the end of the section itself is cut."""
    octets = FROM + b"X: " + b"x" * (length - len(FROM) - 5) + b"\r\n" + b"\r\nbody"
    whole = read(octets)
    for cut in range(length - 4, length + 5):
        assert read(octets, [cut]) == whole
    assert read(octets, list(range(len(octets)))) == whole
    assert isinstance(whole, str) == (length - 2 > SETTINGS.header_octets)


@given(st.lists(fields(), max_size=10))
def test_fields_are_kept_octet_by_octet(found: list[bytes]) -> None:
    """What is not taken out comes out as it came in."""
    octets = FROM + b"".join(found)
    outcome = read(octets + b"\r\nbody", settings=MailSettings())
    if isinstance(outcome, str):
        assert " 5." in outcome
        return
    got, rest = outcome
    assert rest == b"body"
    assert b"".join(field.octets for field in got.fields) == octets
    assert got.octets(before=b"A: 1\r\n", without=frozenset(), after=b"Z: 2\r\n") == (
        b"A: 1\r\n" + octets + b"Z: 2\r\n\r\n"
    )


@given(st.binary(max_size=300))
def test_nothing_but_a_refusal_comes_of_anything(octets: bytes) -> None:
    """Total: whatever octets come, they are a header or refused."""
    read(octets)
    read(FROM + octets + b"\r\n\r\n")


@pytest.mark.parametrize(
    "line",
    [
        *(b"Subject : with a space before the colon", b"no colon", b": no name", b"N\xc3\xa4me: x"),
        *(b"From\t: other@avon.cjsm.test", b"Sub ject: x", b"X" * 129 + b": x", b"X: bare\rCR", b"X: bare\nLF"),
        *(b"X: nul\0octet", b"X: fold\r\n \t ", b"X: fold\r\n \r\n more", b"From jo Mon Jan 1 00:00:00 2026"),
    ],
)
def test_lines_that_readers_understand_differently_are_refused(line: bytes) -> None:
    """They are how a second From is slipped past a check."""
    assert code(FROM + line + b"\r\n\r\n").startswith("550 5.6.0")
    assert code(line + b"\r\n" + FROM + b"\r\n").startswith("550 5.6.0")


def test_a_section_must_not_begin_in_the_middle_of_a_field() -> None:
    """A folded line has nothing to continue there."""
    assert code(b" folded\r\n" + FROM + b"\r\n").startswith("550 5.6.0")


@pytest.mark.parametrize("second", [b"From: a@b.c", b"FROM: a@b.c", b"fRoM:a@b.c", b"From:", b"From:\r\n a@b.c"])
def test_there_is_exactly_one_from(second: bytes) -> None:
    """However the other is written, before or after it."""
    assert code(FROM + second + b"\r\n\r\n").startswith("550 5.7.1")
    assert code(second + b"\r\n" + FROM + b"\r\n").startswith("550 5.7.1")


@pytest.mark.parametrize("octets", [b"\r\n", b"\r\nFrom: jo@avon.cjsm.test\r\n", b"To: x\r\n\r\n", b""])
def test_a_message_without_from_is_refused(octets: bytes) -> None:
    """A From in the body is none."""
    assert code(octets).startswith("550 5.7.1")


@pytest.mark.parametrize(
    "name",
    [
        *("Date", "Sender", "Reply-To", "To", "Cc", "Bcc", "Message-ID", "In-Reply-To", "References", "Subject"),
        *("MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Content-Disposition"),
    ],
)
def test_fields_that_may_occur_once(name: str) -> None:
    """RFC 5322 §3.6; two would be two different messages to two readers."""
    one = f"{name}: x\r\n".encode()
    assert code(FROM + one + b"\r\n") == ""
    assert code(FROM + one + one.upper() + b"\r\n").startswith("550 5.6.0")


def test_other_fields_may_occur_often() -> None:
    """Comments, keywords, traces and what nobody knows."""
    assert code(FROM + b"Comments: x\r\nComments: y\r\nX-Spam: 1\r\nX-Spam: 2\r\n\r\n") == ""


def test_as_many_fields_as_settings_say() -> None:
    """One more is refused."""
    assert code(FROM + b"X: y\r\n" * 11 + b"\r\n") == ""
    assert code(FROM + b"X: y\r\n" * 12 + b"\r\n").startswith("552 5.3.4")


def test_a_loop_is_found_by_its_traces() -> None:
    """More Received fields than settings allow."""
    assert code(FROM + b"Received: x\r\n" * 3 + b"\r\n") == ""
    assert code(FROM + b"received: x\r\n" * 4 + b"\r\n").startswith("554 5.4.6")


def test_a_header_without_end_holds_no_more_than_its_limit() -> None:
    """It is refused as soon as it is over, not when it ends."""
    reader = HeaderReader(SETTINGS)
    assert reader.feed(FROM) is None
    while len(reader._octets) <= SETTINGS.header_octets - 10:
        assert reader.feed(b"X: yyyyyyyyy\r\n") is None
    with pytest.raises(Refused, match=r"552 5\.3\.4"):
        reader.feed(b"X: yyyyyyyyy\r\n")
    assert len(reader._octets) <= SETTINGS.header_octets + 20


def test_a_large_header_is_read_in_linear_time() -> None:
    """Many folded lines, fed one at a time, do not exhaust the stack."""
    octets = FROM + b"X: a\r\n" + b" b\r\n" * 20_000
    assert not isinstance(read(octets + b"\r\n", settings=MailSettings(header_octets=200_000)), str)


def test_looking_up_fields() -> None:
    """By name in lower case, in order."""
    got = header(FROM + b"Subject: one\r\n two\r\nX: 1\r\nx: 2\r\nTo:\r\n sam@avon.cjsm.test\r\n")
    assert got.first(b"subject") == "one two"
    assert got.first(b"to") == "sam@avon.cjsm.test"
    assert got.first(b"cc") == ""
    assert got.has(b"x")
    assert not got.has(b"cc")
    assert [field.octets for field in got.all(b"x", b"to")] == [b"X: 1\r\n", b"x: 2\r\n", got.fields[-1].octets]
    assert got.all(b"x")[0].title == "X"
    assert Field(b"reply-to", b"").title == "Reply-To"


def test_only_white_space_around_a_value_is_left_out() -> None:
    """Control characters and other spaces are part of it, for others to judge."""
    assert Field(b"from", b"From: \t jo@avon \t\r\n").value == "jo@avon"
    for odd in ("\x0b", "\x0c", "\x1c", "\x1f", "\x85", "\xa0", "\u2028", "\u3000"):
        assert Field(b"from", f"From: {odd}jo@avon{odd}\r\n".encode()).value == f"{odd}jo@avon{odd}"


def test_octets_that_are_no_text_show_as_such() -> None:
    """They never fail and never vanish."""
    assert Field(b"subject", b"Subject: a\xff\xfeb\r\n").value == "a\ufffd\ufffdb"


def test_taking_fields_out_takes_their_folded_lines_too() -> None:
    """Nothing of a Bcc stays."""
    got = header(b"Bcc: a@b.c,\r\n d@e.f\r\n" + FROM + b"BCC-Like: x\r\n")
    assert got.octets(before=b"", without=frozenset((b"bcc",)), after=b"") == FROM + b"BCC-Like: x\r\n\r\n"
