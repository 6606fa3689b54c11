"""Issuing client certificates with the community's authority: its key, the new files, and the record, together."""

import os
import time
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from cjsm.command import acting
from cjsm.command.context import as_caller
from cjsm.command.output import Refused
from cjsm.community import finding
from cjsm.community.acts import certificates
from cjsm.community.authority import Action
from cjsm.community.records import IssuedCertificate
from cjsm.community.view import View
from cjsm.configuration import Settings
from cjsm.suite import Suite
from cjsm.vault import clientcertificates
from cjsm.vault.certificates import Authority
from cjsm.vault.clientcertificates import ClientCertificate, Holder

DAYS = 365


class Wanted(Struct, frozen=True, kw_only=True):
    """What is asked of a certificate.

    :ivar request: a certificate signing request (PEM) of whoever keeps the key; None: make a key.
    :ivar follows: whether it is to follow one that is in force.
    """

    request: bytes | None = None
    hosts: tuple[str, ...] = ()
    server: bool = False
    days: int = DAYS
    follows: bool = False


class Handed(Struct, frozen=True, kw_only=True):
    """What was issued, and the files to hand over; ``key`` is None when the organisation has it."""

    record: IssuedCertificate
    certificate: Path
    key: Path | None


def authority_of(settings: Settings) -> Authority:
    """Return the community's authority, with its key.

    :raises Refused: when the caller may not read the key.
    """
    public = Path(settings.tls.authority)
    private = public.with_suffix(".key")
    with as_caller():
        if private.exists() and not os.access(private, os.R_OK, effective_ids=True):
            raise Refused(f"the authority's key {private} cannot be read", "run this as root, whose key it is")
        return Authority.load(public, private)


def require(suite: Suite, name: str) -> None:
    """Ask, before the authority's key is read and files are written, whether whoever acts may issue for *name*.

    :raises NotAllowed: with the reason.
    """
    found = suite.stores.community.read_now(lambda view: finding.connection_of(view, name))
    acting.require(suite, Action.MANAGE_CONNECTIONS, found.organisation)


def issue(suite: Suite, authority: Authority, name: str, directory: Path, wanted: Wanted | None = None) -> Handed:
    """Issue a certificate for the connection *name*: files in *directory* and the community's record, or neither.

    :raises Refused: when a file is there already.
    """
    wanted = wanted or Wanted()
    holder = suite.stores.community.read_now(lambda view: _holder(view, name, wanted))
    if wanted.request is None:
        public, private = clientcertificates.new_key()
    else:
        public, private = clientcertificates.requested(wanted.request), None
    made = clientcertificates.issue(authority, holder, public, int(time.time()), wanted.days)
    handed = Handed(
        record=_record(made),
        certificate=directory / f"{holder.name}.pem",
        key=directory / f"{holder.name}.key" if private is not None else None,
    )
    _write(handed, made.pem, private)
    try:
        acting.act(suite, lambda view, by: certificates.issued(
            view, by, finding.connection_of(view, name).id, handed.record, follows=wanted.follows
        ))  # fmt: skip
    except BaseException:
        _take_back(handed)
        raise
    return handed


def _holder(view: View, name: str, wanted: Wanted) -> Holder:
    """Whatever would refuse the certificate is asked before a file is written."""
    connection = finding.connection_of(view, name)
    certificates.check_issuable(view, connection, follows=wanted.follows)
    told = finding.name_of(connection)
    hosts = certificates.check_names(view, connection, wanted.hosts)
    return Holder(name=told, uri=f"cjsm://{view.suffix}/connection/{told}", hosts=hosts, server=wanted.server)


def _record(made: ClientCertificate) -> IssuedCertificate:
    return IssuedCertificate(
        serial=made.serial, fingerprint=made.fingerprint, not_before=made.not_before, not_after=made.not_after
    )


def _write(handed: Handed, pem: bytes, private: bytes | None) -> None:
    with as_caller():
        for path in (handed.certificate, handed.key):
            if path is not None and path.exists():
                raise Refused(f"{path} is there already", "name another place with --directory, or move it away")
        if handed.key is not None and private is not None:
            write_new(handed.key, private, 0o600)
        write_new(handed.certificate, pem, 0o644)


def write_new(path: Path, content: bytes, mode: int) -> None:
    """Write a file that is not there yet, and never follow a link to another."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _take_back(handed: Handed) -> None:
    with as_caller(), suppress(OSError):
        for path in (handed.certificate, handed.key):
            if path is not None:
                path.unlink(missing_ok=True)
