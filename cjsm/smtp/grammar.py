"""Octets to commands and replies to octets (RFC 5321 §4.1.1, §4.2). Pure and total: every line gives a command or a
:class:`Problem`.
"""

import re
from typing import TypeAlias

from msgspec import Struct

from cjsm.mail.envelope import Demands, Wish
from cjsm.smtp import parameters
from cjsm.smtp.parameters import BadParameter


class Reply(Struct, frozen=True):
    """One reply; several lines where *text* has more than one.

    :ivar status: enhanced status code (RFC 2034), or empty where none belongs: greeting, EHLO, 3xx.
    """

    code: int
    status: str
    text: tuple[str, ...]

    def encode(self) -> bytes:
        """Return the reply as it goes on the wire."""
        status = f"{self.status} " if self.status else ""
        last = len(self.text) - 1
        lines = (
            f"{self.code}{' ' if number == last else '-'}{status}{line}\r\n" for number, line in enumerate(self.text)
        )
        return "".join(lines).encode("ascii", "replace")


def reply(code: int, status: str, *text: str) -> Reply:
    """Return a reply of one or more lines."""
    return Reply(code, status, text)


class Ehlo(Struct, frozen=True):
    """EHLO, or HELO where *extended* is False; *name* is what the client calls itself."""

    extended: bool
    name: str = ""


class Mail(Struct, frozen=True):
    """MAIL FROM; *size* as announced, or None."""

    reverse_path: str
    size: int | None
    demands: Demands = Demands()


class Rcpt(Struct, frozen=True):
    """RCPT TO."""

    forward_path: str
    wish: Wish = Wish()


class Bdat(Struct, frozen=True):
    """BDAT (RFC 3030 §2): so many octets follow at once; *last* where the text ends with them."""

    octets: int
    last: bool


class Auth(Struct, frozen=True):
    """AUTH (RFC 4954); *initial* as sent, or None."""

    mechanism: bytes
    initial: bytes | None

    def __repr__(self) -> str:
        return "<Auth>"


class Plain(Struct, frozen=True):
    """A command without arguments that matter: DATA RSET NOOP QUIT HELP VRFY EXPN STARTTLS."""

    verb: str


class Problem(Struct, frozen=True):
    """What is wrong with a line, as the reply it gets.

    :ivar close: why the connection ends with it, where nobody can tell what would be a command next; else empty.
    """

    reply: Reply
    close: str = ""


Command: TypeAlias = Ehlo | Mail | Rcpt | Bdat | Auth | Plain | Problem

_UNKNOWN = Problem(reply(500, "5.5.2", "this command is not known here"))
_TOO_LONG = Problem(reply(500, "5.5.2", "line too long"))
_NO_ARGUMENTS = Problem(reply(501, "5.5.4", "this command takes no arguments"))
_BAD_CHUNK = Problem(reply(501, "5.5.4", "say BDAT, how many octets, and LAST with the last of them"), "bad BDAT")

#: ``<path>``; a quoted local part may hold ``>``. What is a path but no address of ours is refused later, with reasons.
_PATH = re.compile(rb'[ ]?<((?:"(?:[^"\\]|\\.)*"|[^<>"\s])*)>')
_DOMAIN = re.compile(rb"[!-~]{1,255}\Z")
_MECHANISM = re.compile(rb"[A-Za-z0-9_-]{1,20}\Z")
_CHUNK = re.compile(rb"([0-9]{1,20})(?: +(LAST))?\Z", re.IGNORECASE)

_BARE = {b"DATA": "DATA", b"RSET": "RSET", b"QUIT": "QUIT", b"STARTTLS": "STARTTLS"}
_LOOSE = {b"NOOP": "NOOP", b"HELP": "HELP", b"VRFY": "VRFY", b"EXPN": "EXPN"}
_HTTP = re.compile(rb"(?:GET|POST|PUT|HEAD|OPTIONS|CONNECT|DELETE|TRACE|PATCH) ")


class Limits(Struct, frozen=True, kw_only=True):
    """Octets of a line with its CRLF: plain commands, MAIL and RCPT with parameters, AUTH."""

    command: int
    parameters: int
    auth: int


def looks_like_http(line: bytes) -> bool:
    """Whether a first line is a browser's, made to talk to us by somebody else's page."""
    return _HTTP.match(line) is not None


def parse(line: bytes, limits: Limits) -> Command:
    """Return the command that *line* (without CRLF) is."""
    verb, space, rest = line.partition(b" ")
    verb = verb.upper()
    octets = len(line) + 2
    if verb == b"MAIL" or verb == b"RCPT":
        if octets > limits.parameters:
            return _TOO_LONG
        try:
            return _mail(rest) if verb == b"MAIL" else _rcpt(rest)
        except BadParameter as error:
            return Problem(reply(501 if error.known else 555, "5.5.4", str(error)))
    if verb.startswith(b"BDAT"):
        # However it is written, what follows may be text.
        chunk = _CHUNK.match(rest.strip(b" ")) if verb == b"BDAT" and octets <= limits.command else None
        return Bdat(int(chunk[1]), chunk[2] is not None) if chunk is not None else _BAD_CHUNK
    if octets > (limits.auth if verb == b"AUTH" else limits.command):
        return _TOO_LONG
    if verb in _BARE:
        return Plain(_BARE[verb]) if not rest.strip() else _NO_ARGUMENTS
    if verb in _LOOSE:
        return Plain(_LOOSE[verb])
    if verb == b"AUTH":
        return _auth(rest)
    if verb == b"EHLO" or verb == b"HELO":
        if not space or not _DOMAIN.match(rest.strip()):
            return Problem(reply(501, "5.5.4", f"say {verb.decode()} and the name of your computer"))
        return Ehlo(verb == b"EHLO", rest.strip().decode("ascii"))
    return _UNKNOWN


def _auth(rest: bytes) -> Command:
    mechanism, space, initial = rest.partition(b" ")
    if not _MECHANISM.match(mechanism) or b" " in initial or (space and not initial):
        return Problem(reply(501, "5.5.4", "say AUTH, a mechanism and at most an initial response"))
    return Auth(mechanism.upper(), initial if space else None)


def _mail(rest: bytes) -> Command:
    if rest[:5].upper() != b"FROM:":
        return Problem(reply(501, "5.5.4", "say MAIL FROM:<your address>"))
    found = _path(rest[5:])
    if found is None:
        return Problem(reply(501, "5.1.7", "the sender's address must stand in angle brackets"))
    path, rest = found
    given = parameters.of_mail(parameters.split(rest))
    return Mail(path, given.size, given.demands)


def _rcpt(rest: bytes) -> Command:
    if rest[:3].upper() != b"TO:":
        return Problem(reply(501, "5.5.4", "say RCPT TO:<address>"))
    found = _path(rest[3:])
    if found is None:
        return Problem(reply(501, "5.1.3", "the recipient's address must stand in angle brackets"))
    path, rest = found
    return Rcpt(path, parameters.of_rcpt(parameters.split(rest)))


def _path(octets: bytes) -> tuple[str, bytes] | None:
    match = _PATH.match(octets)
    if match is None:
        return None
    rest = octets[match.end() :]
    if rest and not rest.startswith(b" "):
        return None
    # Octets that are not UTF-8 become characters that no address has.
    return match[1].decode("utf-8", "replace"), rest
