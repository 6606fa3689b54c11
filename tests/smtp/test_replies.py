"""What servers answer: replies of one line or many, in any pieces, and what is no reply."""

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.smtp.replies import Answer, AnswerReader, BadReply, Capabilities


def read(*pieces: bytes) -> list[Answer]:
    """Every reply in *pieces*."""
    reader = AnswerReader()
    found = []
    for piece in pieces:
        reader.feed(piece)
        while (answer := reader.next_answer()) is not None:
            found.append(answer)
    return found


def test_one_line_and_many() -> None:
    """The text comes without the codes."""
    said = b"220 mail.example ready\r\n250-mail.example\r\n250-SIZE 1000\r\n250 DSN\r\n354\r\n"
    assert read(said) == [
        Answer(220, ("mail.example ready",)),
        Answer(250, ("mail.example", "SIZE 1000", "DSN")),
        Answer(354, ("",)),
    ]


@given(st.lists(st.integers(0, 80), max_size=6))
def test_any_pieces(cuts: list[int]) -> None:
    """However it was cut, it reads the same."""
    said = b"250-one\r\n250 2.1.0 two\r\n451 4.3.0 later\r\n"
    edges = sorted({0, len(said), *(cut % len(said) for cut in cuts)})
    assert read(*(said[a:b] for a, b in pairwise(edges))) == read(said)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (Answer(250, ("2.1.5 fine",)), "2.1.5"),
        (Answer(550, ("5.7.1",)), "5.7.1"),
        (Answer(550, ("no",)), "5.0.0"),
        (Answer(450, ("5.7.1 contradicts itself",)), "4.0.0"),
        (Answer(250, ("2.1.5.9 none",)), "2.0.0"),
    ],
)
def test_enhanced_status(answer: Answer, status: str) -> None:
    """Its own where it has one of the same class, else what the code gives."""
    assert answer.status == status


@pytest.mark.parametrize(
    "said",
    [
        b"hello\r\n",
        b"99 low\r\n",
        b"600 high\r\n",
        b"2500 long\r\n",
        b"250-one\r\n251 two\r\n",
        b"250-" + b"a\r\n250-" * 300,
        b"a" * 5_000,
        b"250 \r\n\0\r\n",
    ],
)
def test_what_is_no_reply(said: bytes) -> None:
    """Nobody guesses what was meant."""
    with pytest.raises(BadReply):
        read(said)


def test_what_is_quoted_of_a_reply_is_short() -> None:
    """However much a server says of each of many recipients."""
    text = Answer(450, ("x" * 4_000,) * 200).text
    assert text.startswith("450 xxx")
    assert len(text) == 1_000


def test_other_octets_are_shown_safely() -> None:
    """Replies are quoted in reports and logs."""
    assert read(b"550 caf\xe9 \x1b[31m\r\n")[0].lines == ("caf\N{REPLACEMENT CHARACTER} ?[31m",)


@given(st.binary(max_size=200))
def test_any_octets(said: bytes) -> None:
    """A reply or a clear no, never anything else."""
    with suppress(BadReply):
        for answer in read(said):
            assert 200 <= answer.code < 600
            assert answer.text.isprintable()


def test_capabilities() -> None:
    """Names in any case, the limits of RFC 1870 and RFC 9422; nonsense counts as nothing."""
    answer = Answer(250, ("mail.example", "size 1000", "Chunking", "LIMITS MAILMAX=5 RCPTMAX=20", "", "AUTH PLAIN"))
    offers = Capabilities.of(answer)
    assert (offers.size, offers.recipients) == (1000, 20)
    assert "CHUNKING" in offers
    assert "AUTH" in offers
    assert "DSN" not in offers
    assert Capabilities.of(Answer(250, ("host", "SIZE x", "LIMITS RCPTMAX=y"))).size == 0
