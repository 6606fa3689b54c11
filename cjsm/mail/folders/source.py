"""What every source of messages offers to whoever imports them."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from msgspec import Struct


class Found(Struct, frozen=True, kw_only=True):
    """One message of a source.

    :ivar place: where in the source it is, for the source itself.
    :ivar name: how people are told of it.
    :ivar octets: as it lies there.
    :ivar unique_id: the one that its POP3 server gave it; empty where that is not known.
    """

    place: int
    name: str
    octets: int
    unique_id: str = ""


class Source(Protocol):
    """Messages in files of another system, in the order in which POP3 lists them.

    :ivar form: what the source is, in a word.
    :ivar found: every message.
    :ivar listed_by: the name of the list that gave the unique-ids; empty where there is none.
    :ivar notes: what was left out or could not be understood, in words.
    :ivar x_uidl: whether an ``X-UIDL`` field of a message without unique-id is its unique-id.
    """

    notes: list[str]

    @property
    def form(self) -> str:
        """See above."""

    @property
    def listed_by(self) -> str:
        """See above."""

    @property
    def x_uidl(self) -> bool:
        """See above."""

    @property
    def found(self) -> Sequence[Found]:
        """See above."""

    def read(self, found: Found) -> Iterator[bytes]:
        """Yield the message in pieces, with the ends of lines that it has there.

        :raises FolderError: when it is not there any more.
        """

    def close(self) -> None:
        """Close what is open."""
