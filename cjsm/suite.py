"""Puts together the rooms that administration needs, over the stores that :mod:`cjsm.stores` opens.

This is what the ``cjsm`` command works with, beside a running service or without one. :mod:`cjsm.runningsuite` is what
the service runs.
"""

import os
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cjsm import resources
from cjsm.community import providers
from cjsm.community.acts.acting import By
from cjsm.community.identifiers import AccountId, MailboxId
from cjsm.configuration import Settings
from cjsm.instance import Instance
from cjsm.sources import SharedNetworks
from cjsm.store.errors import CannotOpen
from cjsm.store.private import make_private

if TYPE_CHECKING:
    from twisted.cred.portal import Portal
    from twisted.internet.interfaces import IReactorTime

    from cjsm.access.applying import Applying
    from cjsm.access.checker import Checker
    from cjsm.access.delay import LoginDelay
    from cjsm.access.enrolment import Enrolment
    from cjsm.access.factors import Factors
    from cjsm.access.kdf import KdfPool
    from cjsm.access.keyjobs import Rotation
    from cjsm.access.keylife import KeyLife
    from cjsm.access.realm import Realm
    from cjsm.access.recovering import Recovering
    from cjsm.access.sharing import Sharing
    from cjsm.jobs.ledgerkeys import LedgerKeys
    from cjsm.mail.importing import Importer
    from cjsm.mail.ownmail import OwnMail
    from cjsm.mail.traced import TraceReader
    from cjsm.store.lmdb.disk import Disk


class Suite:
    """The rooms without doors: what administration needs. Works beside a running service.

    A room is imported and put together when it is asked for, and the stores when a suite is made, which is why imports
    are where they are: a verb uses two or three rooms, a shell that completes its options none, and whoever called it
    would wait for all.

    :param rehearsal: acts are decided and not done, see :mod:`cjsm.store.rehearsal`.
    :raises MissingSecret: when the service secrets cannot be read.
    :raises StoreError: when a store cannot be opened.
    """

    #: Whether the keys that sign mail are among the secrets: for what the service does, and no act of administration.
    signs_mail = False

    def __init__(self, settings: Settings, disk: "Disk | None" = None, *, rehearsal: bool = False) -> None:
        from cjsm.stores import Stores
        from cjsm.vault import secrets

        self.settings = settings
        private = secrets.EVERY if self.signs_mail else secrets.NAMES
        self.secrets = secrets.load(Path(settings.store.secrets_directory), private)
        self.stores = Stores(settings, disk, rehearsal=rehearsal)
        self.instance = instance(settings)

    def by(self, actor: AccountId | None = None, reason: str = "") -> By:
        """Return a fresh act of *actor* (None: the local operator)."""
        return By.fresh(os.urandom, actor, reason)

    @property
    def _keys(self) -> dict[str, Any]:
        return {"community": self.stores.community, "keys": self.stores.keys, "secrets": self.secrets}

    @cached_property
    def enrolment(self) -> "Enrolment":
        """Makes people and their secrets."""
        from cjsm.access.enrolment import Enrolment

        activity = self.stores.activity
        return Enrolment(self.settings.access, activity=activity, entropy=os.urandom, clock=time.time, **self._keys)

    @cached_property
    def factors(self) -> "Factors":
        """Gives people a second factor, and takes it away."""
        from cjsm.access.factors import Factors

        return Factors(
            self.settings.access,
            service=self.settings.community.service_name,
            activity=self.stores.activity,
            entropy=os.urandom,
            clock=time.time,
            **self._keys,
        )

    @cached_property
    def key_life(self) -> "KeyLife":
        """Gives somebody's mailbox new keys, and lets them in anew."""
        from cjsm.access.keylife import KeyLife

        return KeyLife(self.enrolment, **self._keys)

    @cached_property
    def rotation(self) -> "Rotation":
        """Gives mailboxes new keys when it is time."""
        from cjsm.access.keyjobs import Rotation

        return Rotation(
            self.key_life.generations,
            self.settings.keys,
            community=self.stores.community,
            clock=time.time,
            entropy=os.urandom,
        )

    @cached_property
    def sharing(self) -> "Sharing":
        """Lets people into shared mailboxes, and out."""
        from cjsm.access.sharing import Sharing

        return Sharing(self.enrolment, self.key_life.generations, self.settings.keys, entropy=os.urandom, **self._keys)

    @cached_property
    def recovering(self) -> "Recovering":
        """Opens mail for those who lost their secrets, with two officers."""
        from cjsm.access.recovering import Recovering

        return Recovering(
            self.enrolment,
            self.key_life.generations,
            self.settings.keys,
            entropy=os.urandom,
            clock=time.time,
            **self._keys,
        )

    @cached_property
    def applying(self) -> "Applying":
        """Leads organisations from their application to approval."""
        from cjsm.access.applying import Applying

        return Applying(
            self.settings,
            self.enrolment,
            community=self.stores.community,
            spool=self.stores.spool,
            own_mail=self.own_mail,
            secrets=self.secrets,
            entropy=os.urandom,
            clock=time.time,
        )

    @cached_property
    def traces(self) -> "TraceReader":
        """Reads what is traced of messages."""
        from cjsm.mail.traced import TraceReader

        return TraceReader(self.stores.trace, self.secrets)

    @cached_property
    def ledger_keys(self) -> "LedgerKeys":
        """Signs and checks the ledger's checkpoints."""
        from cjsm.jobs.ledgerkeys import LedgerKeys

        return LedgerKeys(self.settings.community.suffix, self.secrets)

    def portal_at_the_server(self) -> "Portal":
        """Return what lets people open their own mail in a command: the checker and realm of the doors."""
        from twisted.cred.portal import Portal

        from cjsm.access.kdf import InlineKdf

        return Portal(self.realm(InlineKdf()), [self.checker_at_the_server])

    @cached_property
    def checker_at_the_server(self) -> "Checker":
        """What says in a command who somebody is: it counts wrong passwords as the doors do, and with them."""
        from cjsm.access.kdf import InlineKdf

        return self.checker(InlineKdf())

    def checker(self, kdf: "KdfPool", reactor: "IReactorTime | None" = None) -> "Checker":
        """Return what says who somebody is."""
        from cjsm.access.checker import Checker

        return Checker(
            self.settings.access,
            activity=self.stores.activity,
            kdf=kdf,
            clock=time.time,
            shared=SharedNetworks(self.settings.connections.listed_networks),
            reactor=reactor,
            **self._keys,
        )

    def realm(self, kdf: "KdfPool", delay: "LoginDelay | None" = None) -> "Realm":
        """Return what somebody who is known gets behind each door."""
        from cjsm.access.realm import Realm

        return Realm(mail=self.stores.mail, enrolment=self.enrolment, kdf=kdf, delay=delay, **self._keys)

    def importer(self, mailbox: MailboxId, quota: int | None) -> "Importer":
        """Return what imports into a mailbox in a command.

        :param quota: octets that the mailbox may hold; None where that does not matter.
        """
        from cjsm.access.mailboxkeys import CurrentKeys
        from cjsm.mail.importing import Importer

        stores = self.stores
        return Importer(
            self.settings,
            mailbox,
            quota=quota,
            keys=CurrentKeys(stores.community, stores.keys, self.secrets),
            mail=stores.mail,
            spool=stores.spool,
            bodies=stores.bodies,
            secrets=self.secrets,
            clock=time.time,
            entropy=os.urandom,
        )

    def own_mail(self) -> "OwnMail":
        """Return what writes messages of the service in a command, where nobody waits for a turn."""
        from twisted.internet.task import Clock

        from cjsm.access.mailboxkeys import CurrentKeys
        from cjsm.mail.entries import EntryMaker
        from cjsm.mail.ownmail import OwnMail

        stores = self.stores
        keys = CurrentKeys(stores.community, stores.keys, self.secrets)
        return OwnMail(
            self.settings,
            community=stores.community,
            bodies=stores.bodies,
            entries=EntryMaker(keys, self.secrets, entropy=os.urandom, reactor=Clock()),
            clock=time.time,
            entropy=os.urandom,
        )


def instance(settings: Settings) -> Instance:
    """Return the mark of the service that runs on the settings' data directory.

    :raises CannotOpen: when there is no place for it.
    """
    run = Path(settings.store.data_directory) / "run"
    try:
        make_private(run)
    except OSError as error:
        raise CannotOpen(
            f"{run} cannot be made: {error.strerror}", "correct store.data_directory, or its owner"
        ) from error
    return Instance(run)


def known_providers() -> Mapping[str, providers.Provider]:
    """Return the cloud providers that the package knows, by name."""
    return providers.parse(resources.data("providers.toml").read_text("utf-8"))
