"""``cjsm shared``: mailboxes that several people read."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import rich_click as click

from cjsm.access.signedin import Opener
from cjsm.command import acting, proving, secrets, sharedlife
from cjsm.command import quota as quotas
from cjsm.command.context import open_suite, wait
from cjsm.command.output import console, document, facts, shown, table, when
from cjsm.community import finding, states
from cjsm.community.acts import shared as acts
from cjsm.community.acts.shared import member_of
from cjsm.community.authority import Action, may_see_members, require, within
from cjsm.community.identifiers import AccountId
from cjsm.community.records import Account, MailboxRight, SharedMailbox, SharedMember
from cjsm.community.view import View
from cjsm.suite import Suite
from cjsm.vault import device

_RIGHTS = [right.value for right in MailboxRight]
_DAY = 86_400
_EVERY = (MailboxRight.READ, MailboxRight.DELETE, MailboxRight.SEND)


@click.group()
def shared() -> None:
    """Mailboxes that several people read, each with their own password.

    A member opens one over POP3 by signing in as first.last@abbreviation/SHORT-NAME. What a member deletes there is
    hidden from that member only.
    """


@shared.command("add")
@click.argument("organisation")
@click.argument("slug", metavar="SHORT-NAME")
@click.option("--name", required=True, help="The full name, as the directory shows it.")
@click.option("--member", required=True, help="The first member, who reads, sends and manages the others.")
@click.option(
    "--quota", type=quotas.capacity, metavar="SIZE", help="Capacity, such as 750M; else the setting mail.quota."
)
@acting.act_verb
def add(organisation: str, slug: str, name: str, member: str, quota: int | None, config: Path, as_json: bool) -> None:
    """Add a shared mailbox to ORGANISATION; its address is SHORT-NAME@ the organisation's abbreviation.

    \b
    cjsm shared add avon-police duty --name "Duty desk" --member jane.smith@avon
    """
    suite = open_suite(config)
    where, first = suite.stores.community.read_now(
        lambda view: (finding.organisation_of(view, organisation), finding.account_of(view, member))
    )
    capacity = quotas.check(suite, where.id, quota)
    joining = SharedMember(account=first.id, rights=_EVERY)
    made = wait(suite.sharing.add(acting.by(suite), where.id, slug.lower(), name, joining, capacity))
    _report(suite, made, as_json)


@shared.command("join")
@click.argument("address")
@click.argument("user")
@click.option(
    "--right",
    "rights",
    type=click.Choice(_RIGHTS),
    multiple=True,
    default=_RIGHTS,
    help="What the member may do; may be repeated. Everything, when it is not given.",
)
@click.option("--manager", is_flag=True, help="Also to manage the members.")
@click.option("--from-now", is_flag=True, help="Older mail stays closed to this member for good.")
@click.option(
    "--opened-by", metavar="MEMBER", help="A member who opens older mail to the new one now; asks for theirs."
)
@acting.act_verb
def join(address: str, user: str, config: Path, as_json: bool, **values: Any) -> None:
    """Let USER join the shared mailbox ADDRESS, or give a member other rights.

    New mail is theirs to read at once. Older mail was sealed to those who were members then: one of them opens it, now
    with --opened-by and their password, or later with `cjsm shared open`. Nobody else can, you included.

    \b
    cjsm shared join duty@avon.cjsm.test tom.harding@avon
    cjsm shared join duty@avon.cjsm.test tom.harding@avon --right read --opened-by jane.smith@avon
    cjsm shared join duty@avon.cjsm.test sam.temp@avon --right read --from-now
    """
    suite = open_suite(config)
    found, account = _look_up(suite, address, user)
    by = acting.by(suite)
    opener = _opener(suite, values["opened_by"]) if values["opened_by"] else None
    made = wait(
        suite.sharing.join(
            by,
            found.id,
            account.id,
            tuple(MailboxRight(right) for right in values["rights"]),
            from_now=values["from_now"],
            manager=values["manager"],
            opener=opener,
        )
    )
    told = {"user_id": account.user_id, "generation": made.generation, "waiting_generations": made.waiting}
    if as_json:
        document(told)
        return
    console.print(f"{account.user_id} is a member of {address}")
    if made.waiting:
        console.print(f"older mail waits until a member opens it: cjsm shared open {address} MEMBER")


@shared.command("leave")
@click.argument("address")
@click.argument("user")
@acting.act_verb
def leave(address: str, user: str, config: Path, as_json: bool) -> None:
    """Take USER out of the shared mailbox ADDRESS. Sessions end within seconds; new mail is sealed without them.

    \b
    cjsm shared leave duty@avon.cjsm.test tom.harding@avon
    """
    suite = open_suite(config)
    found, account = _look_up(suite, address, user)
    generation = wait(suite.sharing.leave(acting.by(suite), found.id, account.id))
    if as_json:
        document({"user_id": account.user_id, "generation": generation})
    else:
        console.print(f"{account.user_id} is no member of {address} any more")


@shared.command("change")
@click.argument("address")
@click.option("--name", help="The full name, as the directory shows it.")
@click.option("--notice/--no-notice", default=None, help="Whether members are told of new mail in it.")
@acting.act_verb
def change(address: str, name: str | None, notice: bool | None, config: Path, as_json: bool) -> None:
    """Change the shared mailbox ADDRESS: its name, and whether its members are told of new mail.

    Such a notice comes by mail to each member who reads, once an hour at most (notices.shared_every). It says that
    there is new mail, and neither whose nor what about.

    \b
    cjsm shared change duty@avon.cjsm.test --notice
    cjsm shared change duty@avon.cjsm.test --name "Duty desk, nights" --no-notice
    """
    suite = open_suite(config)
    found = suite.stores.community.read_now(lambda view: finding.shared_mailbox_of(view, address))
    acting.act(suite, lambda view, by: acts.change(view, by, found.id, name=name, notice=notice))
    _report(suite, suite.stores.community.read_now(lambda view: finding.shared_mailbox_of(view, address)), as_json)


@shared.command("open")
@click.argument("address")
@click.argument("member")
@acting.own_verb
def open_(address: str, member: str, config: Path, as_json: bool) -> None:
    """Open old mail of the shared mailbox ADDRESS to members who wait for it. Asks for the password of MEMBER, and for
    a code where they have a second factor.

    Those wait who joined, or whose password was reset, since that mail came. See `cjsm shared show`.

    \b
    cjsm shared open duty@avon.cjsm.test jane.smith@avon
    """
    suite = open_suite(config)
    found = suite.stores.community.read_now(lambda view: finding.shared_mailbox_of(view, address))
    opener = _opener(suite, member)
    released = wait(suite.sharing.open_old(suite.by(opener.account), found.id, opener))
    counted: dict[str, int] = {}
    for opened, _ in released:
        name = suite.stores.community.read_now(partial(finding.user_id_of, account=opened))
        counted[name] = counted.get(name, 0) + 1
    if as_json:
        document([{"user_id": name, "generations": many} for name, many in sorted(counted.items())])
    else:
        for name in sorted(counted):
            console.print(f"{name} reads the older mail of {address} now")


@shared.command("show")
@click.argument("address")
@acting.verb
def show(address: str, config: Path, as_json: bool) -> None:
    """Show the shared mailbox ADDRESS with its members, and who waits for older mail.

    \b
    cjsm shared show duty@avon.cjsm.test
    """
    suite = open_suite(config)
    who = acting.actor(suite)

    def look(view: View) -> SharedMailbox:
        found = finding.shared_mailbox_of(view, address)
        require(may_see_members(view, who, found))
        return found

    _report(suite, suite.stores.community.read_now(look), as_json)


@shared.command("list")
@click.option("--member", help="Only those that this user is a member of.")
@click.option("--deleted", is_flag=True, help="Those that are deleted, in place of the others.")
@acting.verb
def list_(member: str | None, deleted: bool, config: Path, as_json: bool) -> None:
    """List shared mailboxes; with --as those that this user manages or is a member of.

    \b
    cjsm shared list
    cjsm shared list --member jane.smith@avon
    cjsm shared list --deleted
    """
    suite = open_suite(config)
    who = acting.actor(suite)

    def look(view: View) -> list[dict[str, Any]]:
        account = finding.account_of(view, member).id if member is not None else None
        found = _deleted(view, account) if deleted else _in_use(view, account)
        seen = [each for each in found if may_see_members(view, who, each).allowed]
        if not seen:
            within(view, who, Action.MANAGE_SHARED_MAILBOXES)
        return sorted((_told(suite, view, each) for each in seen), key=lambda told: str(told["address"]))

    found = suite.stores.community.read_now(look)
    if as_json:
        document(found)
    else:
        rows = [[told["address"], told["name"], told["organisation"], str(len(told["members"]))] for told in found]
        if deleted:
            rows = [[*row, shown(told["had_back_until"])] for row, told in zip(rows, found, strict=True)]
        table(rows, "address", "name", "organisation", "members", *(["can be had back until"] if deleted else []))


def _in_use(view: View, member: AccountId | None) -> Iterator[SharedMailbox]:
    if member is not None:
        yield from view.shared_mailboxes_of(member)
    else:
        for where in view.organisations():
            yield from view.shared_mailboxes_in(where.id)


def _deleted(view: View, member: AccountId | None) -> Iterator[SharedMailbox]:
    for where in view.organisations():
        for found in view.kept_shared_mailboxes_in(where.id):
            if not states.takes_mail(found) and (member is None or member_of(found, member)):
                yield found


def _look_up(suite: Suite, address: str, user: str) -> tuple[SharedMailbox, Account]:
    return suite.stores.community.read_now(
        lambda view: (finding.shared_mailbox_of(view, address), finding.account_of(view, user))
    )


def _opener(suite: Suite, member: str) -> Opener:
    account = proving.known(suite, member)
    (secret,) = secrets.ask(f"Password of {account.user_id if account is not None else member}")
    opener = Opener(proving.own(suite, member, secret).id, secret)
    if device.parse(secret) is None:
        # Here the password alone would open old mail to others.
        proving.ask_code(suite, opener.account)
    return opener


for command in (sharedlife.delete, sharedlife.undelete):
    shared.add_command(command)


def _told(suite: Suite, view: View, found: SharedMailbox) -> dict[str, Any]:
    can_be_had_back = not states.takes_mail(found) and bool(found.keys)
    return {
        "address": finding.primary_address(view, found.id),
        "name": found.name,
        "organisation": finding.path_of(view, found.organisation),
        "quota": found.quota,
        "notice": found.notice,
        "status": states.display_name(found),
        "reason": found.state_reason or None,
        "note": found.state_note or None,
        "since": when(found.state_since),
        "had_back_until": when(found.state_since + suite.settings.keys.undelete * _DAY) if can_be_had_back else None,
        "members": {finding.user_id_of(view, each.account): " ".join(each.rights) for each in found.members},
        "managers": [finding.user_id_of(view, each) for each in found.managers],
    }


def _report(suite: Suite, found: SharedMailbox, as_json: bool) -> None:
    # Of a deleted one nobody waits, and its keys may be gone.
    waiting = suite.sharing.waiting(found.id) if states.takes_mail(found) else {}

    def look(view: View) -> dict[str, Any]:
        told = _told(suite, view, found)
        told["waiting_for_older_mail"] = [finding.user_id_of(view, each) for each in waiting if member_of(found, each)]
        return told

    told = suite.stores.community.read_now(look)
    usage = wait(suite.stores.mail.usage(found.id))
    told |= {"messages": usage.messages, "octets": usage.octets}
    facts(told, as_json=as_json)
