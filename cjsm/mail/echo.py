"""The echo address: answers members, once per message, and never what a machine sent (RFC 3834).

It also asks: a test of a connection is a letter from it, and the answer to that, whoever or whatever wrote it, shows
that the way back works.
"""

import re
from collections.abc import Callable

from cjsm.community.address import Address
from cjsm.community.admission import Service
from cjsm.configuration import Settings
from cjsm.mail import plaintext
from cjsm.mail.header import Header
from cjsm.mail.interfaces import Hop
from cjsm.mail.ownmail import OwnMail
from cjsm.mail.words import shown
from cjsm.store.interfaces import SpoolBatch

_AUTOMATIC = (b"list-id", b"list-unsubscribe", b"x-auto-response-suppress", b"feedback-id")
_PRECEDENCE = ("bulk", "junk", "list", "auto_reply")
#: Characters of an answer that quote what came.
_QUOTED = 8_000
_OURS = re.compile(r"<(echo|test)\.([0-9a-f]{16})@([a-z0-9.-]{1,253})>")


def is_automatic(header: Header) -> bool:
    """Whether a machine sent the message (RFC 3834 section 2)."""
    said = header.first(b"auto-submitted").split(";")[0].strip().lower()
    if said not in ("", "no") or header.first(b"precedence").strip().lower() in _PRECEDENCE:
        return True
    return any(header.has(name) for name in _AUTOMATIC)


def answered_test(header: Header, suffix: str) -> str:
    """Return which test of a connection the message answers, by the word that it was given; empty for none."""
    return next((word for kind, word in _answered(header, suffix) if kind == "test"), "")


def _answered(header: Header, suffix: str) -> list[tuple[str, str]]:
    """Return which of our own letters a message answers: their kinds, and what they are called."""
    earlier = f"{header.first(b'in-reply-to')} {header.first(b'references')}".lower()
    return [(kind, word) for kind, word, domain in _OURS.findall(earlier) if domain == suffix]


class Echo:
    """Writes the answers, and tests.

    :ivar settings: may be replaced while it runs.
    """

    def __init__(self, settings: Settings, own_mail: OwnMail, clock: Callable[[], float]) -> None:
        self.settings = settings
        self._own_mail = own_mail
        self._clock = clock

    async def answer(self, sender: Address | None, header: Header, hop: Hop, queue_id: str) -> SpoolBatch | None:
        """Return the answer to a message from *sender*, or None where none is due: an answer to one of ours gets none,
        for not every machine says that it is one, and two would never end.

        :raises StoreError: when it cannot be kept.
        """
        if sender is None or is_automatic(header) or _answered(header, self.settings.community.suffix):
            return None
        return await self._own_mail.write(
            Service.ECHO, str(sender), self._text(sender, header, hop, queue_id), plaintext.nothing
        )

    async def ask(self, to: str, word: str) -> SpoolBatch | None:
        """Return a letter to *to* that asks for an answer, or None where nobody is there to get it.

        :param word: 16 hexadecimal digits that tell this test from others.
        :raises StoreError: when it cannot be kept.
        """
        suffix, service = self.settings.community.suffix, self.settings.community.service_name
        words = (
            f"This letter tests the way between {service} and your mail system.\n"
            "It has reached you, so the way there works. Please answer it, with any words:\n"
            "your answer shows that the way back works too. Nobody reads it.\n"
        )
        letter = plaintext.letter(
            words,
            sender=f"Echo <echo@{suffix}>",
            to=to,
            subject=f"Test of your connection {word}",
            moment=self._clock(),
            message_id=f"test.{word}@{suffix}",
        )
        return await self._own_mail.write(Service.ECHO, to, letter, plaintext.nothing)

    def _text(self, sender: Address, header: Header, hop: Hop, queue_id: str) -> bytes:
        suffix = self.settings.community.suffix
        now = self._clock()
        return plaintext.letter(
            self._words(header, hop, plaintext.date(now)),
            sender=f"Echo <echo@{suffix}>",
            to=str(sender),
            subject=f"Echo of your message {queue_id}",
            moment=now,
            message_id=f"echo.{queue_id}@{suffix}",
            fields=answering(header),
        )

    def _words(self, header: Header, hop: Hop, date: str) -> str:
        agreed = " ".join(part for part in (hop.tls_version, hop.tls_group) if part) or "no TLS"
        came = f"from {hop.client} " if hop.client else ""
        fields = "".join(f"> {field.title}: {shown(field.value)}\n" for field in header.fields)
        return (
            f"Your message reached {self.settings.community.service_name} on {date},\n"
            f"{came}inside {agreed}. This answer comes back the way that mail to you takes,\n"
            f"so both directions work.\n\nThe header of your message, as it came:\n\n{fields[:_QUOTED]}\n"
        )


def answering(header: Header) -> tuple[str, ...]:
    """Return the fields of an automatic answer to the message with *header*, for :func:`plaintext.letter`."""
    earlier = "".join(each for each in header.first(b"message-id")[:250] if each.isascii() and each.isprintable())
    thread = (f"In-Reply-To: {earlier}", f"References: {earlier}") if earlier else ()
    return (*thread, "Auto-Submitted: auto-replied")
