"""What a scripted peer saw."""

import re
from dataclasses import dataclass, field

_GOOD = re.compile(rb"(?:2\d\d-[^\r\n]*\r\n)*2\d\d(?: [^\r\n]*)?\r\n")


@dataclass(frozen=True)
class Path:
    """An address of an envelope and its parameters: values by keyword, in capitals; None for a keyword alone."""

    address: str
    parameters: dict[str, str | None]


@dataclass
class Message:
    """One message.

    :ivar octets: as they came, dots undone.
    :ivar whole: it came to its end; False where the connection ended in the middle.
    :ivar by: ``DATA`` or ``BDAT``.
    :ivar encrypted: all of it came inside TLS.
    :ivar certificate: SHA-256 of the client's certificate, hexadecimal; empty for none.
    :ivar reply: what was said at its end; empty when nothing.
    """

    sender: Path
    recipients: list[Path]
    by: str
    encrypted: bool
    certificate: str
    octets: bytes = b""
    whole: bool = False
    reply: bytes = b""

    @property
    def accepted(self) -> bool:
        """It came whole, and the client was told so by a whole reply of 2xx."""
        return _GOOD.fullmatch(self.reply) is not None


@dataclass
class Connection:
    """One connection.

    :ivar commands: lines as they came, without CRLF, text and chunks left out.
    :ivar exposed: what a client should say inside TLS only, and said outside: commands with addresses, octets of
        messages, anything in the clear behind STARTTLS.
    :ivar pipelined: something came before the reply to what came before it.
    :ivar server_name: the name the client asked for in its handshake.
    :ivar failure: how the handshake failed.
    :ivar ended: by whom: ``client``, ``peer``, or nobody yet.
    """

    commands: list[bytes] = field(default_factory=list)
    exposed: list[bytes] = field(default_factory=list)
    pipelined: bool = False
    encrypted: bool = False
    tls_version: str = ""
    certificate: str = ""
    server_name: str = ""
    failure: str = ""
    ended: str = ""
