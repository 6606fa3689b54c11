"""What a session asks its server to do, in order."""

from typing import TypeAlias

from msgspec import Struct

from cjsm.mail.envelope import Demands, Wish
from cjsm.smtp.grammar import Reply
from cjsm.wire.sasl import Challenge, SaslResult


class Say(Struct, frozen=True):
    """Send a reply."""

    reply: Reply


class Ask(Struct, frozen=True):
    """Send a SASL challenge."""

    challenge: Challenge


class StartTls(Struct, frozen=True):
    """Begin TLS; :meth:`Session.secured` when it is done."""


class SignIn(Struct, frozen=True):
    """Ask who this is; answer with :meth:`Session.signed_in` or :meth:`Session.not_signed_in`."""

    claim: SaslResult


class Begin(Struct, frozen=True):
    """Begin a message; answer with :meth:`Session.begun` or :meth:`Session.not_begun`."""

    reverse_path: str
    size: int | None
    demands: Demands = Demands()


class AddRecipient(Struct, frozen=True):
    """Add a recipient; answer with :meth:`Session.recipient_added` or :meth:`Session.recipient_refused`."""

    forward_path: str
    wish: Wish = Wish()


class ReadText(Struct, frozen=True):
    """Read the text to its end, commit; answer with :meth:`Session.accepted` or :meth:`Session.not_accepted`."""


class ReadChunk(Struct, frozen=True):
    """Read a chunk of the text; answer with :meth:`Session.chunk_taken`, or where it is the last as to ReadText."""

    octets: int
    last: bool


class SkipChunk(Struct, frozen=True):
    """Read so many octets and forget them, so that they are no commands; then :meth:`Session.chunk_skipped`."""

    octets: int
    last: bool
    why: Reply


class Forget(Struct, frozen=True):
    """Abort the message that was begun."""


class Close(Struct, frozen=True):
    """End the connection after what was said."""

    why: str


Action: TypeAlias = (
    Say | Ask | StartTls | SignIn | Begin | AddRecipient | ReadText | ReadChunk | SkipChunk | Forget | Close
)
