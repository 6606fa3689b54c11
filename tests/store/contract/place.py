"""Where the contract's tests find an implementation, whichever it is."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from twisted.internet.defer import Deferred

from cjsm.community.identifiers import BodyId
from cjsm.store.interfaces import IBodyStore, IBodyWriter, IMailStore, ISpool, Unavailable

from ..support import Clock, result

T = TypeVar("T")
_TRIES = 4


class Place(Protocol):
    """Stores over one disk.

    :ivar clock: what time it is for them.
    """

    clock: Clock

    @property
    def mail(self) -> IMailStore:
        """The mailboxes."""

    @property
    def spool(self) -> ISpool:
        """The spool."""

    @property
    def bodies(self) -> IBodyStore:
        """Sealed bodies."""

    def again(self) -> None:
        """The process dies and another one opens the same disk."""


def sure(act: "Callable[[], Deferred[T]]") -> T:
    """Do *act* until it is done, as whoever keeps a promise does; only :class:`Unavailable` may be asked again."""
    for _ in range(_TRIES):
        try:
            return result(act())
        except Unavailable:
            continue
    return result(act())


def created(place: Place, body_id: BodyId) -> IBodyWriter:
    """A body begun, from nothing where that failed halfway."""
    for _ in range(_TRIES):
        try:
            writer: IBodyWriter = result(place.bodies.create(body_id))
        except Unavailable:
            sure(lambda: place.bodies.release(body_id))
            continue
        return writer
    raise AssertionError("the disk is not that bad")


def put_body(place: Place, body_id: BodyId, sealed: bytes) -> None:
    """Write a whole body to the spool, beginning again where that fails."""
    for _ in range(_TRIES):
        writer = created(place, body_id)
        try:
            written = writer.write(sealed)
            if written is not None:
                result(written)
            result(writer.finish())
        except Unavailable:
            sure(writer.abort)
            continue
        return
    raise AssertionError("the disk is not that bad")
