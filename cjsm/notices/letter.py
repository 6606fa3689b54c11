"""The letter to an ordinary address: a notice's words, and a header of fixed fields."""

import re
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr

from cjsm.notices.notice import Notice
from cjsm.notices.texts import words

#: A plain address: what every mail system takes, and nothing that means anything to one (RFC 5321 §4.1.2, narrowed).
_PLAIN = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+")
_LONGEST = 254
#: A line at most, before it is folded.
_POLICY = SMTP.clone(max_line_length=78)


def is_plain(address: str) -> bool:
    """Whether *address* is an ordinary one that a letter can go to."""
    return len(address) <= _LONGEST and _PLAIN.fullmatch(address) is not None


def letter(notice: Notice, *, service_name: str, sender: str, to: str, now: float, identifier: str) -> bytes:
    """Return what is sent to *to* for *notice*.

    Beside the words of the notice it holds the operator's own settings, the address it goes to, and the time.

    :param identifier: random, for its Message-ID.
    """
    said = words(notice)
    made = EmailMessage(policy=_POLICY)
    made["From"] = formataddr((service_name, sender))
    made["To"] = to
    made["Subject"] = said.subject
    made["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
    made["Message-ID"] = f"<{identifier}@{sender.rpartition('@')[2]}>"
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(said.text, cte="quoted-printable")
    made["Content-Language"] = notice.language.value
    return made.as_bytes()
