"""The body of a short message that the service writes: text for people, which every mail program shows."""

import base64

#: The last fields of its header, and the line that ends it.
HEAD = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"


def lines(text: str) -> bytes:
    """Return *text* as it is transmitted, in lines of at most 76 characters."""
    encoded = base64.b64encode(text.encode())
    return b"".join(encoded[at : at + 76] + b"\r\n" for at in range(0, len(encoded), 76))


async def nothing() -> bytes:
    """Return what follows the beginning of such a message: its end."""
    return b""
