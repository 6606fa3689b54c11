"""The demonstration community with an organisation whose own mail server is a peer of the tests."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509

from cjsm import configuration
from cjsm.command.context import wait
from cjsm.community import finding
from cjsm.community.acts import connections, domains
from cjsm.community.acts.acting import By, entry_of
from cjsm.community.authority import Permission
from cjsm.community.identifiers import LENGTH, ActId, ConnectionId
from cjsm.community.records import Connection, ConnectionKind, ConnectionState, DomainState, NextHop, OrganisationState
from cjsm.community.view import Change, View
from cjsm.store.interfaces import Queued
from cjsm.suite import Suite
from tests.peers.certificates import CertificateMaker, Identity
from tests.running import Community

#: Of the firm, without and with the suffix, and the name that its server's certificate must be for.
DOMAIN = "firm.example"
SUFFIXED = f"{DOMAIN}.cjsm.test"
NAME = "mail.firm.example"
_ORGANISATION = "smith-and-jones"


class Firm:
    """The firm behind its connection.

    :ivar community: the service it belongs to.
    :ivar certificates: issues what the service trusts, and everything else.
    :param slug: its short name, which its domains begin with.
    :param certificates: those of another firm; else its own are made.
    """

    def __init__(
        self,
        community: Community,
        directory: Path,
        slug: str = "firm",
        certificates: CertificateMaker | None = None,
    ) -> None:
        self.community = community
        self.slug = slug
        self.domain = f"{slug}.example"
        self.suffixed = f"{self.domain}.cjsm.test"
        self.name = f"mail.{self.domain}"
        self.identifier = ConnectionId(os.urandom(LENGTH))
        self._directory = directory
        self._issued = False
        if certificates is not None:
            self.certificates = certificates
            return
        self.certificates = CertificateMaker(directory)
        authority = Path(community.told["ca_file"])
        authority.write_bytes(authority.read_bytes() + self.certificates.file.read_bytes())

    def join(self, port: int) -> None:
        """Make the connection, live, with its next hop at *port* of this machine."""

        def act(suite: Suite) -> None:
            organisation = suite.stores.community.read_now(lambda view: finding.organisation_of(view, _ORGANISATION).id)
            made = Connection(
                id=self.identifier,
                organisation=organisation,
                kind=ConnectionKind.SERVER,
                slug=self.slug,
                name=self.slug.title(),
                next_hops=(NextHop(host="127.0.0.1", port=port),),
                certificate_names=(self.name,),
                tls_name=self.name,
            )
            by = suite.by()
            steps: tuple[Callable[[View], Change], ...] = (
                lambda view: connections.add(view, by, made),
                lambda view: domains.add(view, by, self.domain, self.identifier),
                lambda view: connections.set_state(view, by, self.identifier, ConnectionState.LIVE),
            )
            for step in steps:
                by = suite.by()
                wait(suite.stores.community.commit(by.act_id, step))

        self.beside(act)

    def issued(self, *options: str) -> Identity:
        """Let the community issue a certificate for the connection, as its operators do; one more each time."""
        act, self._issued = "renew" if self._issued else "issue", True
        home = self._directory / f"issued-{os.urandom(4).hex()}"
        home.mkdir(parents=True)
        told = self.community.document("connection", "certificate", act, self.slug, "--directory", str(home), *options)
        return Identity(Path(told["certificate"]), Path(told["key"]), told["fingerprint"], "")

    def revoke(self, shown: Identity) -> None:
        """Revoke a certificate that :meth:`issued` gave."""
        serial = f"{x509.load_pem_x509_certificate(shown.certificate.read_bytes()).serial_number:x}"
        done = self.community.command(
            "connection", "certificate", "revoke", self.slug, serial, "--reason", "the key was lost"
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def beside(self, act: Callable[[Suite], Any]) -> Any:
        """Do something beside the running service, as commands do."""
        suite = Suite(configuration.load(Path(self.community.config)))
        try:
            return act(suite)
        finally:
            wait(suite.stores.close())

    def change(self, **values: Any) -> None:
        """Change the connection's record."""

        def decide(view: View) -> Change:
            found = view.connection(self.identifier)
            assert found is not None
            return self._put(view, msgspec.structs.replace(found, **values))

        self._commit(decide)

    def change_domain(self, state: DomainState) -> None:
        """Approve the firm's domain, or not."""

        def decide(view: View) -> Change:
            found = view.domain(self.suffixed)
            assert found is not None
            return self._put(view, msgspec.structs.replace(found, state=state))

        self._commit(decide)

    def change_organisation(self, state: OrganisationState) -> None:
        """Change the state of the organisation that it belongs to."""

        def decide(view: View) -> Change:
            return self._put(view, msgspec.structs.replace(finding.organisation_of(view, _ORGANISATION), state=state))

        self._commit(decide)

    def _commit(self, decide: Callable[[View], Change]) -> None:
        self.beside(lambda suite: wait(suite.stores.community.commit(ActId(os.urandom(LENGTH)), decide)))

    def _put(self, view: View, record: Any) -> Change:
        by = By(act_id=ActId(os.urandom(LENGTH)))
        entry = entry_of(view, by, "connection-edit", "connection", self.identifier, Permission(True, "a test"))
        return Change(put=(record,), entry=entry)

    def queue(self) -> list[Queued]:
        """What waits to go out."""
        found: list[Queued] = self.beside(lambda suite: wait(suite.stores.spool.outgoing.listed(0, 1_000)))
        return found

    def retry(self) -> None:
        """Let everything that waits be tried at once."""

        def act(suite: Suite) -> None:
            for queued in wait(suite.stores.spool.outgoing.listed(0, 1_000)):
                wait(
                    suite.stores.spool.outgoing.change(
                        queued.sequence, lambda state: msgspec.structs.replace(state, due=0)
                    )
                )

        self.beside(act)
