"""What a list puts on top of the mail it passes on, so that programs can tell it apart (RFC 2369, RFC 2919)."""

from email.header import Header

from cjsm.mail.destinations import Through


def list_fields(through: Through) -> bytes:
    """Return the header fields of mail that comes *through* a list.

    ``Precedence`` is no standard's, but what automatic answers look for (RFC 3834 §2).
    """
    identifier = through.address.replace("@", ".", 1)
    told = (
        f"List-Id: {_phrase(through.name)} <{identifier}>",
        f"List-Post: <mailto:{through.address}>",
        "Precedence: list",
    )
    return "".join(f"{field}\r\n" for field in told).encode("ascii")


def _phrase(name: str) -> str:
    """Return *name* as words of a field (RFC 5322 §3.2.5, RFC 2047 §5)."""
    if not name.isascii():
        return Header(name, "utf-8", maxlinelen=60).encode(linesep="\r\n")
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'
