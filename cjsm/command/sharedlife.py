"""``cjsm shared`` verbs for a shared mailbox's life: deleted, had back."""

from pathlib import Path

import rich_click as click

from cjsm.command import acting
from cjsm.command.context import open_suite, wait
from cjsm.command.output import console, document
from cjsm.command.reasons import REASON
from cjsm.community import finding, states
from cjsm.community.acts import shared as acts
from cjsm.community.identifiers import MailboxId
from cjsm.suite import Suite

_DAY = 86_400


@click.command()
@click.argument("address")
@REASON
@click.option("--note", default="", help="In your own words; kept with the mailbox only, and erased with it.")
@acting.act_verb
def delete(address: str, reason: str, note: str, config: Path, as_json: bool) -> None:
    """Delete the shared mailbox ADDRESS. Mail to it is refused, nobody opens it or sends as it; for 30 days
    (keys.undelete) `undelete` has it back.

    After that its keys are destroyed, and its mail with them: nobody opens it any more. Backups of the key store still
    can, for as long as you keep them. Its managers cannot delete it.

    \b
    cjsm shared delete duty@avon.cjsm.test --reason requested
    cjsm shared delete duty@avon.cjsm.test --reason other --note "desk closed" --as olive.marsh@avon
    """
    suite = open_suite(config)
    mailbox = _look_up(suite, address)
    acting.act(suite, lambda view, by: acts.delete(view, by, mailbox, note=note), reason)
    if as_json:
        document(_told(suite, address))
        return
    console.print(f"{address.lower()} is now: {_told(suite, address)['status']}", markup=False)
    days = suite.settings.keys.undelete
    console.print(f"{days} days from now keys and mail will be destroyed; until then: cjsm shared undelete")


@click.command()
@click.argument("address")
@acting.act_verb
def undelete(address: str, config: Path, as_json: bool) -> None:
    """Have the shared mailbox ADDRESS back with its mail, its members and their rights.

    Who was moved to another top organisation meanwhile is no member any more. Who was reset waits for older mail, as
    everywhere: `cjsm shared open`.

    \b
    cjsm shared undelete duty@avon.cjsm.test
    """
    suite = open_suite(config)
    mailbox = _look_up(suite, address)
    within = suite.settings.keys.undelete * _DAY
    gone = wait(suite.sharing.undelete(acting.by(suite), mailbox, within))
    left_out = suite.stores.community.read_now(lambda view: [finding.user_id_of(view, each) for each in gone])
    if as_json:
        document({**_told(suite, address), "left_out": left_out})
        return
    console.print(f"{address.lower()} is now: {_told(suite, address)['status']}", markup=False)
    for name in left_out:
        console.print(f"{name} is of another organisation now, and no member any more", markup=False)


def _look_up(suite: Suite, address: str) -> MailboxId:
    return suite.stores.community.read_now(lambda view: finding.shared_mailbox_of(view, address)).id


def _told(suite: Suite, address: str) -> dict[str, str]:
    found = suite.stores.community.read_now(lambda view: finding.shared_mailbox_of(view, address))
    return {"address": address.lower(), "status": states.display_name(found)}
