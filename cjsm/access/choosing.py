"""Choosing a password from afar: at a door, by whoever the checker let in for that."""

from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from cjsm.access.enrolment import Enrolment
from cjsm.access.errors import AccessUnavailable
from cjsm.access.interfaces import IPasswordChooser
from cjsm.access.kdf import KdfPool
from cjsm.community.identifiers import AccountId
from cjsm.store.interfaces import StoreError
from cjsm.vault.errors import BadPassword, VaultError

T = TypeVar("T")


@implementer(IPasswordChooser)
class PasswordChooser:
    """See :class:`IPasswordChooser`."""

    _log = Logger()

    def __init__(
        self,
        account: AccountId,
        pseudonym: str,
        still_valid: Callable[[], bool],
        *,
        enrolment: Enrolment,
        kdf: KdfPool,
    ) -> None:
        self.account = account
        self.pseudonym = pseudonym
        self.still_valid = still_valid
        self._enrolment = enrolment
        self._kdf = kdf

    def choose(self, current: bytes, chosen: bytes, source: str) -> "Deferred[None]":
        """See :class:`IPasswordChooser`."""
        return Deferred.fromCoroutine(self._choose(current, chosen, source))

    async def _choose(self, current: bytes, chosen: bytes, source: str) -> None:
        async def run(work: Callable[[], T]) -> T:
            return await self._kdf.run(source, work)

        by = self._enrolment.by(self.account)
        try:
            await self._enrolment.set_password(by, self.account, current, chosen, run=run)
        except BadPassword:
            raise
        except (StoreError, VaultError) as error:
            self._log.error("choosing a password is not possible: {error}", error=error)
            raise AccessUnavailable from error
