"""``cjsm keys``: the keys of mailboxes."""

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import rich_click as click

from cjsm.command import acting, mailboxnamed
from cjsm.command.context import config_option, open_suite, wait
from cjsm.command.groups import Group
from cjsm.command.output import console, document, json_option, progressing, reported, shown, table
from cjsm.community import finding
from cjsm.community.identifiers import AccountId, MailboxId
from cjsm.community.records import Account
from cjsm.community.view import View
from cjsm.suite import Suite


@click.group(cls=Group)
def keys() -> None:
    """The keys of mailboxes, and the service's own secrets: which there are, new ones, copies for the safe."""


@keys.command("show")
@click.argument("name")
@acting.verb
def show(name: str, config: Path, as_json: bool) -> None:
    """Show the generations of keys of the mailbox of NAME, a user ID or the address of a person or shared mailbox.

    For each: the beginning of its public key's SHA-256, as the ledger has it, the messages that are sealed to it, and
    who was granted it, with the epoch of their own key.

    \b
    cjsm keys show jane.smith@avon
    cjsm keys show duty@avon.cjsm.test --json
    """
    suite = open_suite(config)
    mailbox = _mailbox(suite, name)
    mailboxnamed.see(suite, mailbox)
    _, record, newest = suite.key_life.generations.read(mailbox)
    sealed = Counter(row.generation for row in wait(suite.stores.mail.list(mailbox)).rows)
    sealed.update(each.row.generation for each in wait(suite.stores.mail.deleted(mailbox)))
    names = _names(suite, {each.member for each in record.grants})
    told = [
        {
            "generation": key.generation,
            "newest": key.generation == newest.generation,
            "key": hashlib.sha256(key.public).hexdigest()[:16],
            "messages": sealed[key.generation],
            "granted": [
                f"{names[each.member]} epoch {each.epoch}"
                for each in record.grants
                if each.generation == key.generation
            ],
        }
        for key in record.generations
    ]
    if as_json:
        document(told)
    else:
        table([[shown(value) for value in each.values()] for each in told], *told[0])


@keys.command("rotate")
@click.argument("name")
@acting.act_verb
def rotate(name: str, config: Path, as_json: bool) -> None:
    """Begin a new generation of keys for the mailbox of NAME; what is sealed from now on needs the new one.

    Whoever reads the mailbox now reads on, old mail and new. It happens by itself once a year (keys.rotate_after).

    \b
    cjsm keys rotate jane.smith@avon
    cjsm keys rotate duty@avon.cjsm.test
    """
    suite = open_suite(config)
    step = wait(suite.key_life.rotate(acting.by(suite), _mailbox(suite, name)))
    told: dict[str, Any] = {"generation": step.generation, "key": step.digest[:16]}
    if as_json:
        document(told)
    else:
        console.print(f"generation {step.generation} of the keys, {step.digest[:16]}, takes mail from now on")


@keys.command("rotate-due")
@config_option
@json_option
@reported
def rotate_due(config: Path, as_json: bool) -> None:
    """Begin new generations now for every mailbox that the service would take one after the other by itself.

    Those are due whose keys are a year old, or older than the last change of recovery officers or of their
    organisation's place. It may be ended and begun again at any time.

    \b
    cjsm keys rotate-due
    """
    suite = open_suite(config)
    due = wait(suite.rotation.due())
    with progressing("mailboxes rotated", len(due), octets=False) as advance:
        done, failed = wait(suite.rotation.rotate(due, watch=advance))
    if as_json:
        document({"due": len(due), "rotated": done, "failed": failed})
    else:
        console.print(f"{done} of {len(due)} mailboxes rotated" + (f", {failed} could not be" if failed else ""))


def _mailbox(suite: Suite, name: str) -> MailboxId:
    def look(view: View) -> MailboxId:
        owner = finding.mailbox_owner_of(view, name)
        found = owner.mailbox if isinstance(owner, Account) else owner.id
        assert found is not None, "mailbox_owner_of finds nobody without one"
        return found

    return suite.stores.community.read_now(look)


def _names(suite: Suite, accounts: set[AccountId]) -> dict[AccountId, str]:
    def look(view: View) -> dict[AccountId, str]:
        return {account: finding.user_id_of(view, account) for account in accounts}

    return suite.stores.community.read_now(look)


keys.elsewhere(
    "secretkeys",
    escrow="Write the service secrets into FILE, sealed, and print the shares of its key, once.",
    peppers="Count what depends on each version of the pepper: when an older one is needed by nothing, it may go.",
    restore=(
        "Open FILE with shares from standard input, one a line, and write the service secrets into the new DIRECTORY."
    ),
    rotate_secret=(
        "Renew the service secret NAME. The service must be stopped. Older versions stay, for what they made."
    ),
)
