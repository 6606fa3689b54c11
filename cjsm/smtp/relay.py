"""The door for organisations' own mail systems: 25, with STARTTLS, proved by certificate before MAIL."""

import re
from typing import Any, ClassVar

from cjsm.access.proof import IProof, NotProved, Shown
from cjsm.smtp.grammar import reply
from cjsm.smtp.server import SmtpDoor, SmtpFactory
from cjsm.wire.peers import certificate_of

#: What a server may call itself in a trace field.
_NAME = re.compile(r"[A-Za-z0-9.:\[\]_-]{1,255}\Z")


class RelayFactory(SmtpFactory):
    """Connections are those of servers that *proof* knows.

    :param authority: PEM file of the community's own authority.
    :ivar per_connection: sessions of one connection at most; may be replaced.
    """

    def __init__(self, settings: Any, *, proof: IProof, authority: str, per_connection: int, **common: Any) -> None:
        super().__init__(settings, **common)
        self.proof = proof
        self.authority = authority
        self.per_connection = per_connection

    def connection(self) -> "RelayDoor":
        """See :class:`~cjsm.wire.factory.DoorFactory`."""
        return RelayDoor(self)


class RelayDoor(SmtpDoor):
    """One connection of an organisation's server."""

    offers_auth: ClassVar[bool] = False
    protocol: ClassVar[str] = "ESMTPS"
    house: RelayFactory

    def secured(self) -> None:
        """TLS has begun: look who it is. A stranger hears at MAIL why nothing is taken from him."""
        super().secured()
        shown = self._shown()
        try:
            relayer = self.house.proof.prove(shown)
        except NotProved as error:
            self._log.info(
                "a server is not known: {why}", why=str(error), source=self.source, fingerprint=shown.fingerprint
            )
            self.session.not_proved(reply(550, "5.7.1", str(error)))
            return
        full = self.admission.sign_in(relayer.account, most=self.house.per_connection)
        if full is not None:
            self.session.not_proved(reply(451, "4.7.0", "too many connections of this organisation: try again later"))
            return
        self.known(relayer)
        self.session.proved()

    def client(self) -> str:
        """See :class:`SmtpDoor`."""
        called = self.session.called if _NAME.match(self.session.called) else "unknown"
        place = f"IPv6:{self.source}" if ":" in self.source else self.source
        return f"{called} ([{place}])"

    def _shown(self) -> Shown:
        certificate = certificate_of(self._transport.getHandle(), self.house.authority)
        if certificate is None:
            return Shown(source=self.source)
        return Shown(
            source=self.source,
            fingerprint=certificate.fingerprint,
            names=certificate.names,
            by_community=certificate.by_community,
            problem=certificate.problem,
        )
