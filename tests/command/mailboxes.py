"""People with mail in a community that does not run, for tests of ``cjsm mailbox``."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cjsm import configuration
from cjsm.access.mailboxkeys import CurrentKeys
from cjsm.command.context import wait
from cjsm.community.acts.acting import By
from cjsm.community.identifiers import BodyId, DeliveryId, MailboxId
from cjsm.community.records import LedgerEntry, Profile
from cjsm.community.view import Change, View
from cjsm.ledger.entries import decode_entry, encode_entry
from cjsm.mail.content import SealedContent
from cjsm.store.interfaces import Delivery
from cjsm.suite import Suite
from cjsm.vault.message import Summary, encode_wrap
from cjsm.vault.secrets import Versions
from cjsm.vault.signing import SigningKey

PASSWORD = "violet tractor café lamp"


@contextmanager
def beside(config: Path) -> Iterator[Suite]:
    """The community's stores, as a command has them."""
    suite = Suite(configuration.load(config))
    try:
        yield suite
    finally:
        wait(suite.stores.close())


def join(config: Path, name: str = "jane.smith", quota: int = 1 << 20) -> MailboxId:
    """Add somebody who has chosen a password."""
    first, last = name.title().split(".")
    with beside(config) as suite:
        organisation = suite.stores.community.read_now(lambda view: next(iter(view.children(None))).id)
        profile = Profile(first_name=first, last_name=last)
        by = suite.by()
        added = wait(suite.enrolment.add_hosted(by, organisation, f"{name}@avon", profile, quota))
        account, one_time = added.account, added.one_time_password.encode()
        wait(suite.enrolment.set_password(suite.by(account.id), account.id, one_time, PASSWORD.encode()))
        assert account.mailbox is not None
        return account.mailbox


def deliver(
    suite: Suite, mailbox: MailboxId, *contents: bytes, acceptance: Versions[SigningKey] | None = None
) -> list[DeliveryId]:
    """Deliver messages, as acceptance and delivery do, signed with other keys if need be."""
    return [_deliver(suite, mailbox, content, acceptance or suite.secrets.acceptance) for content in contents]


def _deliver(suite: Suite, mailbox: MailboxId, content: bytes, acceptance: Versions[SigningKey]) -> DeliveryId:
    stores, inline = suite.stores, suite.settings.store.inline_body
    sealed = SealedContent(BodyId(os.urandom(16)), bodies=stores.bodies, entropy=os.urandom, inline=inline)
    written = sealed.write(content)
    if written is not None:
        wait(written)
    body = wait(sealed.finish())
    generation, public = CurrentKeys(stores.community, stores.keys, suite.secrets).current(mailbox)
    wrap = sealed.sealer.wrap(
        mailbox,
        generation,
        DeliveryId(os.urandom(16)),
        to=public,
        prefix=b"Return-Path: <>\r\n",
        acceptance=acceptance,
        moment=1_769_850_600,
    )
    delivery = Delivery(
        delivery_id=wrap.delivery_id,
        spool_sequence=1,
        generation=generation,
        octets=wrap.octets,
        body_id=body.body_id,
        sealed_octets=body.sealed_octets,
        wrap=encode_wrap(wrap),
        summary=sealed.seal_summary(Summary(sender="", to="", subject="", date="", octets=0), body),
        body=sealed.inline_body,
    )
    wait(stores.mail.deliver(mailbox, [delivery], 0))
    return wrap.delivery_id


@contextmanager
def held(config: Path, maildrop: bytes) -> Iterator[None]:
    """Another process has a maildrop meanwhile."""
    program = (
        "import sys; from pathlib import Path; from cjsm.store.lmdb.leases import Leases;"
        "Leases(Path(sys.argv[1])).take(bytes.fromhex(sys.argv[2])); print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(config.parent / "data" / "run" / "leases"), maildrop.hex()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        yield
        holder.communicate()


def unique_ids(config: Path, mailbox: MailboxId) -> list[str]:
    """What POP3's UIDL says."""
    with beside(config) as suite:
        return [row.unique_id for row in wait(suite.stores.mail.list(mailbox)).rows]


def last_entry(config: Path) -> LedgerEntry:
    """The newest entry of the ledger."""
    with beside(config) as suite:
        return decode_entry(wait(suite.stores.community.entries(0, 10_000))[-1][1])


def last_words(config: Path) -> list[str]:
    """What is kept beside the newest entry of the ledger: a reason in somebody's own words."""
    encoded = encode_entry(last_entry(config))
    with beside(config) as suite:
        return [each.text for each in suite.stores.community.words(encoded)]


def commit(suite: Suite, decide: Callable[[View, By], Change], reason: str = "") -> None:
    """Commit an act of the local operator."""
    by = suite.by(reason=reason)
    wait(suite.stores.community.commit(by.act_id, lambda view: decide(view, by)))
