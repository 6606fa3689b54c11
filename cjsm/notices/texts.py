"""From notices to words: fixed texts, and in them nothing but the notice's own date and code."""

import re
import textwrap
from datetime import UTC, datetime
from functools import cache

from msgspec import Struct

from cjsm import resources
from cjsm.notices.notice import Kind, Language, Notice

_MONTHS = {
    Language.ENGLISH: "January February March April May June July August September October November December",
    Language.WELSH: "Ionawr Chwefror Mawrth Ebrill Mai Mehefin Gorffennaf Awst Medi Hydref Tachwedd Rhagfyr",
}
_AT = {Language.ENGLISH: "at", Language.WELSH: "am"}
#: Characters in a line of a text.
_WIDTH = 76
_PLACE = re.compile(r"\{([^{}]*)\}")


class Words(Struct, frozen=True, kw_only=True):
    """What a notice says: one line, and a text whose lines end in a line feed."""

    subject: str
    text: str


def words(notice: Notice) -> Words:
    """Return what *notice* says. The same notice says the same, whoever it is for."""
    values = _values(notice)

    def fill(text: str) -> str:
        return _PLACE.sub(lambda found: values[found[1]], text)

    subject, text = _text(notice.kind, notice.language)
    closing = _closing(notice.language)
    return Words(subject=fill(subject), text=_wrapped(fill(f"{text}\n{closing}")))


def _wrapped(text: str) -> str:
    """Return *text* with lines that fit, now that its places are filled."""
    paragraphs = (textwrap.fill(" ".join(each.split()), _WIDTH) for each in text.strip().split("\n\n"))
    return "\n\n".join(paragraphs) + "\n"


def _values(notice: Notice) -> dict[str, str]:
    minutes = int(notice.code) if notice.kind is Kind.PLANNED_OUTAGE else 0
    return {
        "date": _moment(notice.date, notice.language),
        "day": _day(notice.date, notice.language),
        "until": _moment(notice.date + 60 * minutes, notice.language),
        "code": notice.code,
    }


def _day(moment: int, language: Language) -> str:
    when = datetime.fromtimestamp(moment, UTC)
    return f"{when.day} {_MONTHS[language].split()[when.month - 1]} {when.year}"


def _moment(moment: int, language: Language) -> str:
    return f"{_day(moment, language)} {_AT[language]} {datetime.fromtimestamp(moment, UTC):%H:%M} UTC"


@cache
def _text(kind: Kind, language: Language) -> tuple[str, str]:
    """Return a text as it is kept: its first line is the subject, then comes an empty one."""
    read = resources.data("notices", language.value, f"{kind.value}.txt").read_text("utf-8")
    subject, _, text = read.partition("\n\n")
    return subject.strip(), text


@cache
def _closing(language: Language) -> str:
    return resources.data("notices", language.value, "closing.txt").read_text("utf-8")
