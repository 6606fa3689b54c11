"""The stream of octets as LDAP messages, each whole and not too long (RFC 4511 §5.1)."""

from cjsm.ldap.grammar.ber import SEQUENCE, BerError, header


class FramingError(ValueError):
    """The stream is not LDAP, or a message is longer than allowed: nothing after it can be read."""


class Framer:
    """Cuts what arrives into messages. A message too long is refused by its header, before it is here.

    :ivar limit: most octets of a message, its own header not counted; may be changed between messages.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Add what arrived."""
        self._buffer += data

    def next_message(self) -> bytes | None:
        """Return the next whole message, or None when more must arrive first.

        :raises FramingError: when there never will be one.
        """
        buffer = self._buffer
        if buffer and buffer[0] != SEQUENCE:
            raise FramingError("this is not LDAP")
        try:
            found = header(buffer, 0, len(buffer))
        except BerError as error:
            raise FramingError(str(error)) from None
        if found is None:
            return None
        _, start, length = found
        if length > self.limit:
            raise FramingError(f"message longer than {self.limit} octets")
        if len(buffer) < start + length:
            return None
        message = bytes(buffer[: start + length])
        del buffer[: start + length]
        return message

    @property
    def buffered(self) -> int:
        """Octets received and not yet returned."""
        return len(self._buffer)

    def clear(self) -> None:
        """Forget what is buffered: the connection has ended."""
        self._buffer.clear()
