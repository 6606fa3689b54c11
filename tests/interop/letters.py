"""Messages as mail programs make them, with attachments, of chosen sizes."""

import base64
import hashlib
from email.message import EmailMessage
from typing import Any

SIZES = {"5 KB": 5_000, "1 MB": 1_000_000, "25 MB": 25_000_000}


def letter(sender: dict[str, Any], recipient: dict[str, Any], octets: int, name: str) -> bytes:
    """Return a message of about *octets* with a text and an attachment of bytes that repeat nowhere."""
    message = EmailMessage()
    message["From"] = sender["address"]
    message["To"] = recipient["address"]
    message["Subject"] = f"Statement {name}"
    message["Date"] = "Mon, 02 Nov 2026 10:00:00 +0000"
    message["Message-ID"] = f"<{hashlib.sha256(name.encode()).hexdigest()}@client.example>"
    message.set_content("Please find it enclosed.\n\n.a line that begins with a dot\n..and one with two\n.\n")
    room = max(100, octets - len(message.as_bytes()) - 400)
    attached = hashlib.shake_128(name.encode()).digest(room * 57 // 78)
    message.add_attachment(attached, maintype="application", subtype="octet-stream", filename=f"{name}.bin")
    text = message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    assert base64.b64encode(attached[:57]) in text
    return text
