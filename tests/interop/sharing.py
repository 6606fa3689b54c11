"""A shared mailbox in a running community, made beside the service as commands make things."""

import os
from pathlib import Path
from typing import Any

from cjsm import configuration
from cjsm.access import keyring
from cjsm.access.keyring import AccountKeys, MailboxKeys
from cjsm.command.acting import act
from cjsm.command.context import wait
from cjsm.community import finding
from cjsm.community.acts import groups
from cjsm.community.address import Address
from cjsm.community.identifiers import LENGTH, MailboxId
from cjsm.community.records import Account, MailboxRight, SharedMailbox, SharedMember
from cjsm.suite import Suite
from cjsm.vault.hybrid import PublicKey
from cjsm.vault.mailboxes import GenerationKey, Grant, grant, new_generation
from tests.running import Community

_RIGHTS = (MailboxRight.READ, MailboxRight.DELETE, MailboxRight.SEND)


def share(community: Community, slug: str, *people: dict[str, Any]) -> str:
    """Make a shared mailbox in the organisation of *people*, who may read, delete and send; return its address."""
    suite = Suite(configuration.load(Path(community.config)))
    try:
        store = suite.stores.community
        members = [store.read_now(lambda view, p=p: finding.account_of(view, p["user_id"])) for p in people]
        mailbox = MailboxId(os.urandom(LENGTH))
        seed, key = new_generation(mailbox, 1, suite.secrets.community)
        grants = tuple(_grant(suite, seed, key, member) for member in members)
        record = MailboxKeys(mailbox=mailbox, generations=(key,), grants=grants)
        wait(suite.stores.keys.put(mailbox, 1, keyring.encode(record)))
        made = SharedMailbox(
            id=mailbox,
            organisation=members[0].organisation,
            slug=slug,
            name="Front desk",
            members=tuple(SharedMember(account=member.id, rights=_RIGHTS) for member in members),
            quota=suite.settings.mail.quota,
            keys=1,
        )
        address = Address.parse(f"{slug}@{people[0]['address'].partition('@')[2]}")
        act(suite, lambda view, by: groups.add_shared_mailbox(view, by, made, address), "a front desk")
        return str(address)
    finally:
        wait(suite.stores.close())


def _grant(suite: Suite, seed: bytes, key: GenerationKey, member: Account) -> Grant:
    known = keyring.decode(suite.stores.keys.get_now(member.id, member.keys), AccountKeys)
    newest = len(known.epochs)
    return grant(seed, key, member.id, newest, PublicKey(known.epochs[-1].public))
