"""What a delivery report is made of. Moments are whole seconds since the epoch."""

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from cjsm.mail.envelope import Notify, Returned


class Action(StrEnum):
    """What was done for a recipient (RFC 3464 §2.3.3)."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"

    @property
    def notify(self) -> Notify:
        """What a sender names in NOTIFY to hear of it (RFC 3461 §4.1)."""
        return _NOTIFY.get(self, Notify.SUCCESS)


_NOTIFY = {Action.FAILED: Notify.FAILURE, Action.DELAYED: Notify.DELAY}


class RecipientReport(Struct, frozen=True, kw_only=True):
    """What became of one recipient; None or empty stands for what is not known.

    :ivar final_recipient: the address that was tried, as the sender may see it.
    :ivar original: ORCPT as it was written, such as ``rfc822;bob@example``.
    :ivar status: enhanced status code such as ``5.1.1`` (RFC 3463).
    :ivar reason: why, in a few plain words that make a sentence; where empty, what the status stands for is said.
    :ivar diagnostic: the other side's own words with their reply code; or, without one, why no words were exchanged.
    :ivar remote: the name of the host that said them.
    :ivar retry_until: when a delayed one is given up.
    """

    final_recipient: str
    action: Action
    status: str = ""
    original: str = ""
    reason: str = ""
    diagnostic: str = ""
    remote: str = ""
    last_attempt: int | None = None
    retry_until: int | None = None


class Subject(Struct, frozen=True, kw_only=True):
    """The message that a report is about.

    :ivar reverse_path: where the report goes; never the null one.
    :ivar arrival: when the message was accepted.
    :ivar envelope_id: ENVID as it was written, or empty.
    :ivar message_id: its Message-ID with angle brackets, or empty.
    """

    reverse_path: str
    arrival: int
    envelope_id: str = ""
    message_id: str = ""


class Reporter(Struct, frozen=True, kw_only=True):
    """Who reports: the host's name, the address that answers questions, and what people call the service.

    These are settings, of the form they should have, and not made harmless.
    """

    host: str
    postmaster: str
    service: str = "Mail service"


class Enclosure(Struct, frozen=True, kw_only=True):
    """What of the message a report returns.

    :ivar what: its header section, or all of it.
    :ivar eight_bit: whether that has octets over 127; the report is then for peers with 8BITMIME (RFC 6152) only.
    :ivar utf8: whether the message needed SMTPUTF8 (RFC 6531).
    """

    what: Returned
    eight_bit: bool = False
    utf8: bool = False


class Report(Struct, frozen=True, kw_only=True):
    """A report as it is sent: *before*, then what is returned of the message, octet for octet, then *after*."""

    before: bytes
    after: bytes


def enclosed(asked: Returned | None, recipients: Sequence[RecipientReport]) -> Returned:
    """Return how much of a message its report returns: all only where that was asked and something failed.

    RFC 3461 §4.3. Who asked for nothing gets the header section.
    """
    failed = any(each.action is Action.FAILED for each in recipients)
    return Returned.FULL if failed and asked is Returned.FULL else Returned.HEADERS
