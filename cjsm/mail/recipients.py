"""Whom one message goes to: mailboxes, recipients behind connections, and the echo, each once."""

from collections.abc import Iterable, Iterator
from itertools import chain

from cjsm.community.identifiers import ConnectionId, MailboxId
from cjsm.mail.destinations import Destination, Destinations, Relayed, Through
from cjsm.mail.envelope import OutgoingRecipient, Wish

#: Recipients of one message that every server takes (RFC 5321 section 4.5.3.1.8); many take no more.
_AT_ONCE = 100


class Recipients:
    """Grows with each RCPT.

    :ivar asked: recipients that were taken.
    :ivar echo: whether the echo address is one.
    """

    def __init__(self) -> None:
        self.asked = 0
        self.echo = False
        self._hosted: dict[MailboxId, tuple[Destination, Wish]] = {}
        self._relayed: dict[tuple[ConnectionId, str], tuple[Relayed, Wish]] = {}

    def __bool__(self) -> bool:
        return bool(self._hosted or self._relayed or self.echo)

    @property
    def hosted(self) -> tuple[Destination, ...]:
        """The mailboxes, each once."""
        return tuple(destination for destination, _ in self._hosted.values())

    @property
    def wishes(self) -> tuple[Wish, ...]:
        """What was wished of each of :attr:`hosted`; empty where nobody wished anything."""
        wishes = tuple(wish for _, wish in self._hosted.values())
        return wishes if any(wish != Wish() for wish in wishes) else ()

    @property
    def relayed(self) -> Iterator[tuple[ConnectionId, Through | None, tuple[OutgoingRecipient, ...]]]:
        """Each connection with the list that its copy comes through, if one, and recipients behind it: as many as fit
        into one message, and the same again with the next ones.
        """
        groups: dict[tuple[ConnectionId, Through | None], list[OutgoingRecipient]] = {}
        for found, wish in self._relayed.values():
            behind = groups.setdefault((found.connection, found.through), [])
            behind.append(OutgoingRecipient(address=found.address, wish=wish))
        for (connection, through), behind in groups.items():
            for start in range(0, len(behind), _AT_ONCE):
                yield connection, through, tuple(behind[start : start + _AT_ONCE])

    @property
    def not_in_use(self) -> tuple[str, ...]:
        """Addresses that the sender named, whose mail is kept for somebody who does not get at it."""
        found: Iterator[tuple[Destination | Relayed, Wish]] = chain(self._hosted.values(), self._relayed.values())
        return tuple(each.address for each, _ in found if not each.in_use and each.through is None)

    @property
    def copies(self) -> int:
        """How many times the spool and mailboxes keep the message."""
        return max(1, len(self._hosted) + sum(1 for _ in self.relayed))

    def fresh(self, found: Destinations) -> list[Destination]:
        """Return the mailboxes of *found* that the message does not go to yet."""
        return [each for each in found.every if each.mailbox not in self._hosted]

    def add(self, found: Destinations, wish: Wish) -> None:
        """Take what one RCPT led to. What the sender wished of a list is not passed on to its members.

        Whoever is named beside a list gets the sender's own copy and not the list's.
        """
        each = Wish() if found.of_list else wish
        for destination in found.every:
            if _comes_first(destination, self._hosted.get(destination.mailbox)):
                self._hosted[destination.mailbox] = (destination, each)
        for relayed in found.relayed:
            place = (relayed.connection, relayed.address)
            if _comes_first(relayed, self._relayed.get(place)):
                self._relayed[place] = (relayed, each)
        self.echo |= found.echo
        self.asked += 1


def _comes_first(found: Destination | Relayed, known: tuple[Destination | Relayed, Wish] | None) -> bool:
    """Whether *found* is new, or the sender's own copy where what is known comes through a list."""
    return known is None or (known[0].through is not None and found.through is None)


def smallest_limit(relayed: Iterable[Relayed]) -> int:
    """Return the largest message that all of *relayed* take, 0 where none has a limit."""
    return min((each.limit for each in relayed if each.limit), default=0)
