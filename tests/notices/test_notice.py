"""What a notice is, and that it can be nothing else."""

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm import resources
from cjsm.community.identifiers import AccountId
from cjsm.notices.notice import ORDINARY, SYSTEM, BadNotice, Kind, Language, Notice, decode, encode
from cjsm.notices.samples import sample
from cjsm.notices.texts import words

from .support import JO

EVERY = [(kind, language) for kind in Kind for language in Language]
#: 3 March 2027, 22:05 UTC.
DATE = 1_804_111_500
PLACES = {"date", "day", "until", "code"}


def test_its_fields_are_all_there_is() -> None:
    """Two enumerations, an identifier, a number, and a code out of a closed list."""
    fields = {field.name: field.type for field in msgspec.structs.fields(Notice)}
    assert fields == {"kind": Kind, "account": fields["account"], "date": int, "language": Language, "code": str}
    assert fields["account"].__supertype__ is bytes


@pytest.mark.parametrize("kind", Kind)
def test_codes_are_closed(kind: Kind) -> None:
    """No kind takes words, a name, a link, or anything longer than a few characters."""
    for code in ("jane.smith", "Bail of J. Doe", "https://example.org", " ", "1 ", "01", "-1", "99999", "１"):
        with pytest.raises(BadNotice):
            Notice(kind=kind, account=JO, date=DATE, code=code)


@given(st.text(max_size=30), st.sampled_from(Kind))
def test_whatever_a_code_is(code: str, kind: Kind) -> None:
    """It is a number of at most five digits or one of the ledger's areas, or there is no notice."""
    try:
        Notice(kind=kind, account=JO, date=DATE, code=code)
    except BadNotice:
        return
    assert re.fullmatch(r"[0-9]{0,5}|[a-z]{4,12}", code)


@pytest.mark.parametrize("date", [-1, 1 << 40])
def test_dates(date: int) -> None:
    """Have four digits for the year."""
    with pytest.raises(BadNotice):
        Notice(kind=Kind.LOCKED, account=JO, date=date)


def test_stored() -> None:
    """And read again; what is none is refused, one with a bad code too."""
    for kind, language in EVERY:
        made = sample(kind, language, DATE, JO)
        assert decode(encode(made)) == made
    for octets in (b"", b"\x80", msgspec.msgpack.encode({"kind": "locked", "account": JO, "date": 1, "code": "Jane"})):
        with pytest.raises(BadNotice):
            decode(octets)


@pytest.mark.parametrize(("kind", "language"), EVERY)
def test_texts(kind: Kind, language: Language) -> None:
    """Each kind has one in each language: places for date and code only, no link, no address, lines that fit."""
    text = resources.data("notices", language.value, f"{kind.value}.txt").read_text("utf-8")
    assert set(re.findall(r"\{(.*?)\}", text)) <= PLACES
    told = words(sample(kind, language, DATE))
    whole = f"{told.subject}\n{told.text}"
    assert not re.search(r"https?:|www\.|://|@|<|>|\{|\}", whole)
    assert all(len(line) <= 76 for line in told.text.splitlines()), whole
    assert told.text.endswith(words(sample(Kind.LOCKED, language, DATE)).text.split("\n\n")[-1])
    assert ("password" if language is Language.ENGLISH else "gyfrinair") in told.text


def test_no_text_without_a_kind() -> None:
    """Whoever removes a kind removes its texts."""
    for language in Language:
        names = {found.name for found in resources.data("notices", language.value).iterdir()}
        assert names == {f"{kind.value}.txt" for kind in Kind} | {"closing.txt"}


def test_words() -> None:
    """As people read them."""
    told = words(sample(Kind.PLANNED_OUTAGE, Language.ENGLISH, DATE))
    assert told.subject == "Planned interruption on 3 March 2027"
    assert "from 3 March 2027 at 22:05 UTC until 4 March 2027 at 00:05 UTC." in " ".join(told.text.split())
    welsh = words(sample(Kind.NEAR_QUOTA, Language.WELSH, DATE))
    assert welsh.subject == "Mae eich blwch post yn llenwi: 90 %"
    assert "3 Mawrth 2027 am 22:05 UTC" in welsh.text


@pytest.mark.parametrize(
    "kind", [Kind.TERMS_DUE, Kind.CERTIFICATE_ENDING, Kind.CONNECTION_FAILING, Kind.ORGANISATION_SUSPENDED]
)
def test_what_administrators_are_told(kind: Kind) -> None:
    """Does not send them to themselves."""
    for language in Language:
        text = " ".join(words(sample(kind, language, DATE)).text.split())
        assert not re.search("your administrator|eich gweinyddwr", text)


def test_no_figure_that_is_a_setting() -> None:
    """How long nobody is told again of new mail, and for how long terms are good, whoever runs the service says."""
    for kind in (Kind.SHARED_NEW_MAIL, Kind.TERMS_DUE):
        said = [words(sample(kind, language, DATE)).text for language in Language]
        assert not re.search(r"\bhour|\byear|\bawr\b|blwyddyn|flwyddyn", " ".join(said))


@given(st.integers(0, 253_402_300_799 - 7 * 86_400), st.sampled_from(EVERY), st.binary(min_size=16, max_size=16))
def test_words_depend_on_nothing_else(date: int, which: tuple[Kind, Language], account: bytes) -> None:
    """The same date and code say the same to everybody."""
    first, second = (sample(*which, date, each) for each in (JO, AccountId(account)))
    assert words(first) == words(second)


def test_what_stays_inside() -> None:
    """Is told of other people's acts only; administrators' system notices go out."""
    shared = {Kind.SHARED_NEW_MAIL, Kind.SHARED_NEAR_QUOTA, Kind.SHARED_DELETED, Kind.SHARED_UNDELETED}
    assert frozenset(Kind) - ORDINARY == {*shared, Kind.BREAK_GLASS}
    assert set(SYSTEM) <= ORDINARY
