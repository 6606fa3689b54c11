"""The doors for people's mail programs: 465 and 587 (RFC 6409, RFC 8314)."""

from typing import Any, ClassVar

from cjsm.access.errors import AccessError
from cjsm.access.interfaces import ISubmitter, LoginAttempt
from cjsm.smtp import refusals
from cjsm.smtp.grammar import reply
from cjsm.smtp.server import SmtpDoor, SmtpFactory


class SubmissionFactory(SmtpFactory):
    """The portal gives :class:`~cjsm.access.interfaces.ISubmitter`."""

    def connection(self) -> "SubmissionDoor":
        """See :class:`~cjsm.wire.factory.DoorFactory`."""
        return SubmissionDoor(self)


class SubmissionDoor(SmtpDoor):
    """One connection of somebody's mail program."""

    offers_auth: ClassVar[bool] = True
    protocol: ClassVar[str] = "ESMTPSA"

    async def sign_in(self, name: str, secret: bytes) -> None:
        """See :class:`SmtpDoor`."""
        attempt = LoginAttempt(name, secret, protocol="smtp", source=self.source, wanted=self.is_wanted)
        submitter: Any
        try:
            _, submitter, _ = await self.house.portal.login(attempt, None, ISubmitter)
        except AccessError as error:
            why, counts = refusals.signing_in(error)
            self.act(self.session.not_signed_in(why, counts=counts))
            return
        if self.ended:
            return
        full = self.admission.sign_in(submitter.account)
        if full is not None:
            self.act(self.session.not_signed_in(reply(454, "4.7.0", full.value), counts=False))
            return
        self.known(submitter)
        self.act(self.session.signed_in())
