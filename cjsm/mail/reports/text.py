"""Text of others made harmless: one line, nothing that a terminal or a mail program would act on, of bounded length."""

import re
import textwrap
from datetime import UTC, datetime

#: Characters of one text. Never broken inside a word, a line with one more stays under 998 octets (RFC 5322 §2.1.1).
LONGEST = 500
#: Columns of a line where words allow it; quoted-printable breaks longer ones again.
WIDTH = 72
_NOT_ASCII = re.compile(r"[^ -~]")


def one_line(text: str, most: int = LONGEST) -> str:
    """Return at most *most* printable characters of *text*, single spaces between words."""
    short = text[: 4 * most]
    if not short.isprintable():
        short = "".join(each if each.isprintable() else " " for each in short)
    return _at_most(" ".join(short.split()), most)


def ascii_line(text: str, most: int = LONGEST) -> str:
    r"""Return the same in ASCII, other characters as ``\x{F6}``."""
    return _at_most(_NOT_ASCII.sub(lambda match: f"\\x{{{ord(match[0]):02X}}}", one_line(text, most)), most)


def folded(name: str, value: str) -> str:
    """Return the header field *name*, folded where *value*, one line, has spaces."""
    return "\r\n ".join(wrapped(f"{name}: {value}", first="", further="")) + "\r\n"


def wrapped(text: str, *, first: str, further: str) -> list[str]:
    """Return *text*, one line, as lines that begin with *first* and *further*; no word is broken."""
    if len(first) + len(text) <= WIDTH:
        return [first + text]
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=further,
        break_long_words=False,
        break_on_hyphens=False,
    )


def moment(seconds: int) -> str:
    """Return a moment as people write it."""
    when = datetime.fromtimestamp(seconds, UTC)
    return f"{when.day} {when:%B %Y} at {when:%H:%M} UTC"


def _at_most(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."
