"""Text as it compares: without case and with spaces counted once (RFC 4518)."""

import unicodedata


def fold(value: str) -> str:
    """Return *value* without differences of case, of compatible characters and of the number of spaces."""
    if value.isascii():
        return " ".join(value.lower().split())
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", value).casefold()).split())
