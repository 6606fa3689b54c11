"""What an :class:`~cjsm.ldap.session.LdapSession` wants done.

:class:`Say` is sent; :class:`SignIn`, :class:`Choose`, :class:`Find` and :class:`Examine` are work for others, who
report back to the session; :class:`StartTls` is the transport's; :class:`Stop` ends such work; :class:`HangUp` ends the
connection after what was said.
"""

from typing import TypeAlias

from msgspec import Struct

from cjsm.ldap.grammar.controls import NONE, Extras
from cjsm.ldap.grammar.requests import CompareRequest, SearchRequest


class Say(Struct, frozen=True):
    """Send these octets."""

    octets: bytes


class SignIn(Struct, frozen=True):
    """Ask who this is; answer with :meth:`LdapSession.accepted` or :meth:`LdapSession.refused`."""

    message_id: int
    name: str
    secret: bytes

    def __repr__(self) -> str:
        return f"<SignIn {self.message_id}>"


class Choose(Struct, frozen=True):
    """Replace a password; answer with :meth:`LdapSession.chosen` or :meth:`LdapSession.not_chosen`."""

    message_id: int
    name: str
    current: bytes
    chosen: bytes

    def __repr__(self) -> str:
        return f"<Choose {self.message_id}>"


class SignOut(Struct, frozen=True):
    """Whoever was signed in is no longer."""


class Find(Struct, frozen=True):
    """Search the directory; answer with :meth:`LdapSession.done`."""

    message_id: int
    request: SearchRequest
    extras: Extras = NONE


class Examine(Struct, frozen=True):
    """Compare in the directory; answer with :meth:`LdapSession.done`."""

    message_id: int
    request: CompareRequest
    extras: Extras = NONE


class StartTls(Struct, frozen=True):
    """Send these octets and begin TLS; report with :meth:`LdapSession.secured`."""

    octets: bytes


class Stop(Struct, frozen=True):
    """The work for *message_id* is not wanted any more; nothing is said about it."""

    message_id: int


class HangUp(Struct, frozen=True):
    """End the connection after what has been said; *why* is for the log."""

    why: str


Action: TypeAlias = "Say | SignIn | Choose | SignOut | Find | Examine | StartTls | Stop | HangUp"
