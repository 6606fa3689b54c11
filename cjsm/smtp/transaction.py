"""One message to another server: MAIL, RCPT, and DATA or BDAT, in as few turns as it lets us (RFC 2920, RFC 3030)."""

from collections.abc import Sequence
from typing import Protocol

from cjsm.mail.envelope import NO_WISH
from cjsm.mail.notifications import format_notify
from cjsm.mail.sending import Addressee, Outcome, Parcel, Sent
from cjsm.smtp.replies import Answer, Capabilities
from cjsm.wire.dots import Stuffer
from cjsm.wire.flow import Outflow

#: Octets in one BDAT; each waits for the answer to the one before.
_CHUNK = 1 << 20
#: Octets of the largest message that is sent without waiting for any answer.
_AT_ONCE = 256 * 1024
_NO_TEXT_ASKED = "the server answers DATA as if it were done"
#: Octets in one write.
_PIECE = 64 * 1024


class Connection(Protocol):
    """What a transaction needs of the connection; each raises when it is over."""

    def write(self, octets: bytes) -> None:
        """Send commands."""

    def outflow(self, *, watched: bool) -> Outflow:
        """Return a way to send the text, as fast as it is taken; it ends when no more is taken in time.

        :param watched: no answer is due before the text is through, so one that comes ends the connection.
        """

    async def answer(self) -> Answer:
        """Wait for the next reply."""

    def end(self, why: str) -> None:
        """End it."""


class Transaction:
    """Sends one parcel over a connection that is ready for it."""

    def __init__(self, connection: Connection, capabilities: Capabilities, parcel: Parcel) -> None:
        self._connection = connection
        self._offers = capabilities
        self._parcel = parcel
        self._outcomes: dict[int, Outcome] = {}
        most = capabilities.recipients or len(parcel.addressees)
        self._addressees = parcel.addressees[:most]
        #: Those for whom there is no room in this message, by index.
        self._later = {each.index for each in parcel.addressees[most:]}
        paths = (parcel.reverse_path, *(each.address for each in parcel.addressees))
        #: Whether the other side must take UTF-8: the sender said so, or who the message is from or for is so written.
        self._international = parcel.demands.smtputf8 or not all(path.isascii() for path in paths)

    async def run(self) -> Sent:
        """Return what the other side said; whoever calls hears of a connection that ended."""
        impossible = self._impossible()
        if impossible is not None:
            self._later.clear()
            self._settle(impossible)
            return self._sent()
        if "PIPELINING" not in self._offers:
            await self._step_by_step()
        elif "CHUNKING" in self._offers and self._parcel.octets <= _AT_ONCE:
            await self._at_once()
        else:
            await self._in_groups()
        return self._sent()

    def _sent(self) -> Sent:
        return Sent(outcomes=self._outcomes, passes_reports_on="DSN" in self._offers)

    def _impossible(self) -> Outcome | None:
        """Return why the other side cannot take the message, before anything of it is said."""
        demands, offers = self._parcel.demands, self._offers
        if demands.require_tls and "REQUIRETLS" not in offers:
            return _ours(
                "5.7.30", "the message must stay inside TLS, and the organisation's server does not promise it"
            )
        if self._international and "SMTPUTF8" not in offers:
            return _ours("5.6.7", "the organisation's server does not take addresses that are not plain ASCII")
        if demands.eight_bit and "8BITMIME" not in offers:
            return _ours("5.6.3", "the organisation's server takes only plain ASCII text")
        if offers.size and self._parcel.octets > offers.size:
            return _ours("5.3.4", f"the organisation's server takes messages of at most {offers.size} octets")
        return None

    # Ways to say it

    async def _at_once(self) -> None:
        """Everything in one go, then all the answers."""
        commands = self._commands()
        self._connection.write(b"".join(commands) + f"BDAT {self._parcel.octets} LAST\r\n".encode("ascii"))
        await self._chunk(self._parcel.octets, watched=False)
        wanted = self._judge([await self._connection.answer() for _ in commands])
        answer = await self._connection.answer()
        self._settle(_theirs(answer) if wanted or not answer.is_good else _NOBODY)
        if not answer.is_good:
            await self._reset()

    async def _in_groups(self) -> None:
        """The envelope in one go, with DATA behind it where the text is not sent in chunks."""
        commands = self._commands()
        chunked = "CHUNKING" in self._offers
        self._connection.write(b"".join(commands) + (b"" if chunked else b"DATA\r\n"))
        wanted = self._judge([await self._connection.answer() for _ in commands])
        if not chunked:
            await self._text(await self._connection.answer(), wanted=wanted)
        elif wanted:
            await self._chunks()
        else:
            await self._reset()

    async def _step_by_step(self) -> None:
        """One command, one answer."""
        answers = []
        for command in self._commands():
            self._connection.write(command)
            answers.append(await self._connection.answer())
            if not answers[0].is_good:
                break
        if not self._judge(answers):
            await self._reset()
        elif "CHUNKING" in self._offers:
            await self._chunks()
        else:
            self._connection.write(b"DATA\r\n")
            await self._text(await self._connection.answer(), wanted=True)

    # The envelope

    def _commands(self) -> list[bytes]:
        return [self._mail(), *(self._rcpt(each) for each in self._addressees)]

    def _judge(self, answers: Sequence[Answer]) -> bool:
        """Note what MAIL and RCPT were answered; return whether there is somebody to send the text to."""
        if not answers[0].is_good:
            self._settle(_theirs(answers[0]))
            return False
        too_many: dict[int, Outcome] = {}
        taken = False
        for addressee, answer in zip(self._addressees, answers[1:], strict=True):
            taken = taken or answer.is_good
            if not answer.is_good:
                where = too_many if _too_many(answer) else self._outcomes
                where[addressee.index] = _theirs(answer)
        if taken:
            self._later |= too_many.keys()
        else:
            # Without anybody before them it is no matter of how many there are.
            self._outcomes |= too_many
        return taken

    def _mail(self) -> bytes:
        parcel, demands, offers = self._parcel, self._parcel.demands, self._offers
        words = [f"MAIL FROM:<{parcel.reverse_path}>"]
        if "SIZE" in offers:
            words.append(f"SIZE={parcel.octets}")
        if "8BITMIME" in offers:
            words.append("BODY=8BITMIME")
        if self._international:
            words.append("SMTPUTF8")
        if demands.require_tls:
            words.append("REQUIRETLS")
        if "DSN" in offers and demands.returned is not None:
            words.append(f"RET={demands.returned}")
        if "DSN" in offers and demands.envelope_id:
            words.append(f"ENVID={demands.envelope_id}")
        return " ".join(words).encode() + b"\r\n"

    def _rcpt(self, addressee: Addressee) -> bytes:
        words = [f"RCPT TO:<{addressee.address}>"]
        if "DSN" in self._offers and addressee.wish != NO_WISH:
            notify = addressee.wish.notify
            if notify is not None:
                words.append(f"NOTIFY={format_notify(notify)}")
            if addressee.wish.original:
                words.append(f"ORCPT={addressee.wish.original}")
        return " ".join(words).encode() + b"\r\n"

    async def _reset(self) -> None:
        self._connection.write(b"RSET\r\n")
        if not (await self._connection.answer()).is_good:
            self._connection.end("the server does not answer RSET")

    # The text

    async def _text(self, answer: Answer, *, wanted: bool) -> None:
        """Send the text behind DATA, which got *answer*; nothing of it where nobody is there to get it."""
        if answer.code != 354:
            self._settle(
                _ours("4.5.0", "the server answers DATA as if it were done") if answer.is_good else _theirs(answer)
            )
            if answer.is_good:
                self._connection.end(_NO_TEXT_ASKED)
            else:
                await self._reset()
            return
        if not wanted:
            # RFC 2920 section 3.1: a DATA that got its 354 must be ended.
            self._connection.write(b".\r\n")
            await self._connection.answer()
            return
        stuffer = Stuffer()
        outflow = self._connection.outflow(watched=True)
        try:
            while octets := await self._parcel.pieces.read(_PIECE):
                await outflow.write(stuffer.write(octets))
            await outflow.write(stuffer.finish())
        finally:
            outflow.close()
        self._settle(_theirs(await self._connection.answer()))

    async def _chunks(self) -> None:
        left = self._parcel.octets
        while True:
            size = min(left, _CHUNK)
            left -= size
            self._connection.write(f"BDAT {size}{'' if left else ' LAST'}\r\n".encode("ascii"))
            await self._chunk(size)
            answer = await self._connection.answer()
            if not answer.is_good:
                self._settle(_theirs(answer))
                if left:
                    # What RFC 3030 asks for: the transaction is void, and the rest of it is not sent.
                    await self._reset()
                return
            if not left:
                self._settle(_theirs(answer))
                return

    async def _chunk(self, size: int, *, watched: bool = True) -> None:
        outflow = self._connection.outflow(watched=watched)
        try:
            while size:
                octets = await self._parcel.pieces.read(min(size, _PIECE))
                if not octets:
                    self._connection.end("the message is shorter than was said")
                    return
                size -= len(octets)
                await outflow.write(octets)
        finally:
            outflow.close()

    def _settle(self, outcome: Outcome) -> None:
        """Give every recipient of this message that has none yet the same outcome."""
        for addressee in self._parcel.addressees:
            if addressee.index not in self._later:
                self._outcomes.setdefault(addressee.index, outcome)


def _too_many(answer: Answer) -> bool:
    """Whether a recipient is refused for the number of those before (RFC 5321 section 4.5.3.1.10), which is 452, of
    servers that are older 552; a status of its own tells that from a mailbox that is full.
    """
    return answer.code in (452, 552) and (answer.status[1:] == ".5.3" or (answer.code, answer.status) == (452, "4.0.0"))


def _theirs(answer: Answer) -> Outcome:
    # 3xx where it has no place is no answer to rely on.
    code = answer.code if answer.code // 100 in (2, 4, 5) else 450
    return Outcome(code=code, status=answer.status, text=answer.text)


def _ours(status: str, text: str) -> Outcome:
    return Outcome(code=550 if status[0] == "5" else 450, status=status, text=text, ours=True)


_NOBODY = _ours("4.5.0", "the server takes a message that no recipient was taken for")
