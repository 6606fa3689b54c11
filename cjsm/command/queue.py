"""``cjsm queue``: messages on their way out to organisations' own mail systems, and why they wait."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import rich_click as click

from cjsm.command import acting
from cjsm.command.context import open_suite, wait
from cjsm.command.output import Refused, console, document, shown, table, watched
from cjsm.command.queueshown import Shown
from cjsm.community import finding
from cjsm.community.acts import queues
from cjsm.community.acts.acting import check_text
from cjsm.community.acts.queues import QueueAct
from cjsm.community.authority import Action
from cjsm.community.identifiers import ConnectionId
from cjsm.instance import NotRunning
from cjsm.store.interfaces import Missing, Queued, QueueState
from cjsm.suite import Suite

Decide = Callable[[QueueState], QueueState]

_QUEUE_ID = re.compile(r"[0-9a-fA-F]{16}")
#: Messages that are read, or changed in one commit, at once.
_SLICE = 500
_COLUMNS = ("number", "queue id", "connection", "since", "tries", "next try", "left/all", "octets", "state", "reason")

_number = click.IntRange(1)
_numbers = click.argument("numbers", metavar="[NUMBER]...", nargs=-1, type=_number)
_connection = click.option("--connection", help="All that waits for the connection of this name.")
_all = click.option("--all", "everything", is_flag=True, help="All that waits.")


@click.group()
def queue() -> None:
    """Messages on their way out to organisations' own mail systems: which wait, and why.

    \b
    What waits, and why:           cjsm queue list
    All of one message:            cjsm queue show 17
    The other side works again:    cjsm queue retry --connection firm
    Back to the sender:            cjsm queue remove 17 --reason "sent to the wrong firm"
    """


@queue.command("list")
@click.option("--connection", help="Only what waits for the connection of this name.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Messages at most.")
@click.option("--after", type=click.IntRange(0), default=0, help="Only messages with a number above this one.")
@acting.verb
def list_(connection: str | None, limit: int, after: int, config: Path, as_json: bool) -> None:
    """List what waits, the oldest first, and what waits for each connection.

    A message is waiting, late (its sender was told, or will be), held, or returning to its sender.

    \b
    cjsm queue list
    cjsm queue list --connection firm --limit 200
    cjsm queue list --after 117 --json
    """
    suite = open_suite(config)
    acting.require(suite, Action.SEE_QUEUES)
    only = _named(suite, connection)
    tell = Shown(suite)
    found = wait(suite.stores.spool.outgoing.listed(after, limit, only))
    summaries = [each for each in wait(suite.stores.spool.outgoing.summary()) if only in (None, each.connection)]
    messages = [tell.row(each) for each in watched(found, "messages opened")]
    connections = [tell.summary(each) for each in summaries]
    if as_json:
        document({"messages": messages, "connections": connections})
        return
    if messages:
        table([_row(told) for told in messages], *_COLUMNS)
    for told in connections:
        console.print(_line(told), markup=False, soft_wrap=True)
    if not connections:
        console.print("nothing waits")
    elif len(messages) == limit:
        console.print(f"there may be more: cjsm queue list --after {messages[-1]['number']}", markup=False)


def _row(told: dict[str, Any]) -> list[str]:
    names = ("number", "queue_id", "connection", "since", "attempts", "next_try")
    left = f"{told['recipients_left']}/{told['recipients_all']}"
    return [*(shown(told[name]) for name in names), left, f"{told['octets']:,}", told["state"], shown(told["reason"])]


def _line(told: dict[str, Any]) -> str:
    counts = [f"{told['messages']:,} waiting"]
    counts += [f"{told[name]:,} {name}" for name in ("tried", "held", "damaged") if told[name]]
    reason = f": {told['reason']}" if told["reason"] else ""
    return f"{told['connection']}: {', '.join(counts)}, since {shown(told['oldest'])}{reason}"


@queue.command("show")
@click.argument("name", metavar="NUMBER|QUEUE-ID")
@acting.verb
def show(name: str, config: Path, as_json: bool) -> None:
    """Show a message that waits, by its number or the queue id that its sender was told, with each recipient.

    Who sends and receives is shown as the setting trace.identities says. Looking is written to the ledger.

    \b
    cjsm queue show 17
    cjsm queue show 0123456789abcdef --json
    """
    suite = open_suite(config)
    acting.require(suite, Action.SEE_QUEUES)
    tell = Shown(suite)
    found = _of_queue_id(suite, tell, name.lower()) if _QUEUE_ID.fullmatch(name) else [_of_number(suite, name)]
    told = [tell.whole(each) for each in found]
    for each in told:
        acting.act(suite, partial(queues.look, queue_id=bytes.fromhex(each["queue_id"])))
    if as_json:
        document(told)
        return
    for each in told:
        recipients = each.pop("recipients", ())
        table([(name.replace("_", " "), shown(value)) for name, value in each.items()], "what", "now")
        if recipients:
            table([[shown(part) for part in each.values()] for each in recipients], "recipient", "state", "notify")


def _of_number(suite: Suite, name: str) -> Queued:
    if not name.isdecimal() or not name.isascii():
        raise Refused(f"{name} is neither a number nor a queue id", "see `cjsm queue list`")
    return _existing(suite, int(name))


def _of_queue_id(suite: Suite, tell: Shown, queue_id: str) -> list[Queued]:
    """Return what one message became: it waits once for each connection that it goes to."""
    found = []
    for each in watched(_every(suite, None), "messages opened"):
        envelope, _ = tell.opened(each)
        if envelope is not None and envelope.queue_id == queue_id:
            found.append(each)
    if not found:
        raise Refused(f"no message with the queue id {queue_id} waits", f"see `cjsm trace {queue_id}`")
    return found


def _existing(suite: Suite, number: int) -> Queued:
    try:
        return wait(suite.stores.spool.outgoing.found(number))
    except Missing as error:
        raise Refused(str(error), "see `cjsm queue list`, and `cjsm trace` for what became of it") from None


def _every(suite: Suite, connection: ConnectionId | None) -> Iterator[Queued]:
    """Yield what waits, in slices, for as long as there is more."""
    after = 0
    while found := wait(suite.stores.spool.outgoing.listed(after, _SLICE, connection)):
        yield from found
        after = found[-1].sequence


def _named(suite: Suite, connection: str | None) -> ConnectionId | None:
    if connection is None:
        return None
    return suite.stores.community.read_now(lambda view: finding.connection_of(view, connection).id)


@queue.command("retry")
@_numbers
@_connection
@_all
@acting.verb
def retry(numbers: Sequence[int], connection: str | None, everything: bool, config: Path, as_json: bool) -> None:
    """Try messages at once, whenever their next try was to be. What is held stays held.

    \b
    cjsm queue retry 17 18
    cjsm queue retry --connection firm
    cjsm queue retry --all
    """
    _change(config, QueueAct.RETRY, _retried, (numbers, connection, everything), as_json=as_json)


@queue.command("hold")
@_numbers
@_connection
@_all
@acting.verb
def hold(numbers: Sequence[int], connection: str | None, everything: bool, config: Path, as_json: bool) -> None:
    """Keep messages back until `queue release`. They grow old meanwhile; what is being sent goes on.

    \b
    cjsm queue hold 17
    cjsm queue hold --connection firm
    """
    _change(config, QueueAct.HOLD, _held, (numbers, connection, everything), as_json=as_json)


@queue.command("release")
@_numbers
@_connection
@_all
@acting.verb
def release(numbers: Sequence[int], connection: str | None, everything: bool, config: Path, as_json: bool) -> None:
    """Let held messages go; they are tried at once.

    \b
    cjsm queue release 17
    cjsm queue release --all
    """
    _change(config, QueueAct.RELEASE, _released, (numbers, connection, everything), as_json=as_json)


@queue.command("remove")
@click.argument("number", type=_number)
@click.option("--reason", required=True, help="Why; the sender is told, and the ledger keeps it.")
@acting.verb
def remove(number: int, reason: str, config: Path, as_json: bool) -> None:
    """Return the message NUMBER to its sender, with the reason. The running service does it.

    \b
    cjsm queue remove 17 --reason "sent to the wrong firm"
    cjsm queue remove 17 --reason "sent to the wrong firm" --as erin.wright@desk
    """
    said = check_text(reason, "the reason")
    _change(config, QueueAct.REMOVE, partial(_removed, said), ((number,), None, False), said, as_json=as_json)


def _retried(state: QueueState) -> QueueState:
    return state if state.held else msgspec.structs.replace(state, due=0)


def _held(state: QueueState) -> QueueState:
    return state if state.removed else msgspec.structs.replace(state, held=True)


def _released(state: QueueState) -> QueueState:
    return msgspec.structs.replace(state, held=False, due=0) if state.held else state


def _removed(reason: str, state: QueueState) -> QueueState:
    return msgspec.structs.replace(state, removed=reason, held=False, due=0)


_DONE = {
    QueueAct.RETRY: ("tried at once", "it is held, or tried already"),
    QueueAct.HOLD: ("held", "it was held, or goes back to its sender"),
    QueueAct.RELEASE: ("released and tried at once", "it was not held"),
    QueueAct.REMOVE: ("returned to the sender", "it left meanwhile"),
}


def _change(
    config: Path,
    what: QueueAct,
    decide: Decide,
    whose: tuple[Sequence[int], str | None, bool],
    reason: str = "",
    *,
    as_json: bool,
) -> None:
    """Note the act, then change the messages, in slices; say how many there were."""
    numbers, connection, everything = whose
    if (bool(numbers), connection is not None, everything).count(True) != 1:
        raise click.UsageError("give numbers, or --connection NAME, or --all")
    suite = open_suite(config)
    acting.require(suite, Action.CHANGE_QUEUES)
    only = _named(suite, connection)
    for number in numbers:
        _existing(suite, number)
    meant = " ".join(str(number) for number in numbers) or "all"
    acting.act(suite, lambda view, by: queues.change(view, by, what, only, meant), reason)
    sequences = iter(numbers) if numbers else (each.sequence for each in _every(suite, only))
    changed = unchanged = 0
    for some in watched(_slices(sequences), f"times {_SLICE} messages"):
        done = len(wait(suite.stores.spool.outgoing.change_each(some, decide)))
        changed, unchanged = changed + done, unchanged + len(some) - done
    _tell(suite, what, changed, unchanged, as_json=as_json)


def _slices(sequences: Iterator[int]) -> Iterator[list[int]]:
    some: list[int] = []
    for sequence in sequences:
        some.append(sequence)
        if len(some) == _SLICE:
            yield some
            some = []
    if some:
        yield some


def _tell(suite: Suite, what: QueueAct, changed: int, unchanged: int, *, as_json: bool) -> None:
    running = _runs(suite)
    if as_json:
        document({"act": what, "changed": changed, "unchanged": unchanged, "service_running": running})
        return
    done, otherwise = _DONE[what]
    console.print(f"{changed:,} {'message' if changed == 1 else 'messages'}: {done}", markup=False)
    if unchanged:
        console.print(f"{unchanged:,} not changed: {otherwise}", markup=False)
    if not running:
        console.print("no service runs: it happens when one is started", markup=False)


def _runs(suite: Suite) -> bool:
    try:
        suite.instance.status()
    except NotRunning:
        return False
    return True
