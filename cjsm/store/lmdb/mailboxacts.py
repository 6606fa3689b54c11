"""What is done to a mailbox, each within one transaction: delivering, deleting and its way back, destroying."""

from bisect import bisect_left
from collections.abc import Sequence

import msgspec

from cjsm.community.identifiers import DeliveryId
from cjsm.store.interfaces import Altered, Delivery, Head, Known, Row, Usage
from cjsm.store.lmdb import rows
from cjsm.store.lmdb.anchored import NOT_EXPLAINED, OLDER
from cjsm.store.lmdb.content import DELETED, DELIVERED, IMPORTED, MESSAGES, ROWS, Content, Message, message_of
from cjsm.store.lmdb.environment import number

#: Messages destroyed in one transaction.
PURGED_AT_ONCE = 500


def check_not_behind(head: Head, known: Known) -> None:
    """Check that a mailbox is as new as is known away from it.

    :raises Altered: when it is older: what it lost must not be covered up by what comes.
    """
    newest = known.newest
    if (head != Head() or newest.appended) and head.behind(newest):
        raise Altered(OLDER)
    if known.anchored is not None and head.edition > known.anchored.editions:
        raise Altered(NOT_EXPLAINED)


def check_went_on(listed: Sequence[Row], head: Head, known: Known, advance: rows.Advance) -> None:
    """Check that the list went on from where it stood, as far as the rows around that place tell.

    :raises Altered: when another message is in that place than was.
    """
    for earlier in (known.head, known.anchored.head if known.anchored is not None else Head()):
        if earlier.appended and earlier.edition == head.edition:
            at = bisect_left(listed, earlier.appended, key=lambda row: row.uid)
            for row in listed[at : at + 2]:
                if row.chain != _continued(row, earlier, advance):
                    raise Altered("it was rolled back: it went on from another place than where it stood")


def _continued(row: Row, earlier: Head, advance: rows.Advance) -> bytes:
    """Return the running hash that a row must have that is the last one of *earlier*, or follows it; else its own."""
    if row.uid == earlier.appended:
        return earlier.chain
    if row.uid == earlier.appended + 1:
        return advance(earlier.chain, row.uid, row.octets, row.delivery_id, row.generation)
    return row.chain


# Delivering


def not_delivered(content: Content, batch: Sequence[Delivery]) -> list[Delivery]:
    """Return each delivery once that is neither here nor was: a repeated acceptance has another spool sequence."""
    once = {delivery.delivery_id: delivery for delivery in reversed(batch)}
    return [
        delivery
        for delivery in reversed(once.values())
        if not content.has(MESSAGES, delivery.delivery_id)
        and not content.has(DELIVERED, number(delivery.spool_sequence) + delivery.delivery_id)
    ]


def not_imported(content: Content, batch: Sequence[Delivery]) -> list[Delivery]:
    """Return each message once whose delivery id and unique-id are not here."""
    fresh: dict[DeliveryId, Delivery] = {}
    unique_ids: set[str] = set()
    for delivery in batch:
        known = delivery.delivery_id in fresh or content.has(MESSAGES, delivery.delivery_id)
        if not known and delivery.imported_id not in unique_ids and not _unique_id_taken(content, delivery.imported_id):
            fresh[delivery.delivery_id] = delivery
            unique_ids.update([delivery.imported_id] if delivery.imported_id else [])
    return list(fresh.values())


def _unique_id_taken(content: Content, unique_id: str) -> bool:
    """Whether a message here has it, imported or as the form of its delivery id."""
    if not unique_id:
        return False
    if content.has(IMPORTED, unique_id.encode()):
        return True
    try:
        made_here = bytes.fromhex(unique_id)
    except ValueError:
        return False
    return made_here.hex() == unique_id and content.has(MESSAGES, made_here)


def append(content: Content, batch: Sequence[Delivery], advance: rows.Advance, *, spooled: bool) -> Head:
    """Append messages to the list; return its head.

    :param spooled: they come from the spool, which may hand them out again.
    """
    state = content.state()
    head, octets = state.head, 0
    added = []
    for delivery in batch:
        row = _row(head, delivery, advance)
        head = msgspec.structs.replace(head, appended=row.uid, chain=row.chain)
        octets += row.octets
        added.append(row)
        content.put_message(message_of(row, delivery), delivery.body)
        if spooled:
            content.put(DELIVERED, number(delivery.spool_sequence) + delivery.delivery_id, b"")
    rows.append(content.transaction, content.table(ROWS), added)
    usage = _grown(state.usage, len(added), octets)
    content.set_state(msgspec.structs.replace(state, head=head, usage=usage))
    return head


def _row(head: Head, delivery: Delivery, advance: rows.Advance) -> Row:
    uid = head.appended + 1
    return Row(
        uid=uid,
        octets=delivery.octets,
        delivery_id=delivery.delivery_id,
        generation=delivery.generation,
        flags=0,
        chain=advance(head.chain, uid, delivery.octets, delivery.delivery_id, delivery.generation),
        imported_id=delivery.imported_id,
    )


def _grown(usage: Usage, messages: int, octets: int) -> Usage:
    return Usage(messages=usage.messages + messages, octets=usage.octets + octets)


# The spool's low-water mark


def needs_pruning(content: Content, low_water: int) -> bool:
    """Whether there are delivered ids that the spool cannot hand out again."""
    cursor = content.transaction.cursor(db=content.table(DELIVERED))
    return cursor.first() and int.from_bytes(bytes(cursor.key()[:8]), "big") < low_water


def prune(content: Content, low_water: int) -> None:
    """Forget delivered ids that the spool cannot hand out again."""
    cursor = content.transaction.cursor(db=content.table(DELIVERED))
    found = cursor.first()
    while found and int.from_bytes(bytes(cursor.key()[:8]), "big") < low_water:
        found = cursor.delete() and cursor.key() != b""


# Deleting, and back


def delete(content: Content, delivery_ids: Sequence[DeliveryId], moment: int) -> Head:
    """Take listed messages off the list and keep them as deleted; return the list's head."""
    gone = []
    for delivery_id in dict.fromkeys(delivery_ids):
        message = content.message(delivery_id)
        if message is not None and not content.has(DELETED, delivery_id):
            content.put(DELETED, delivery_id, number(moment))
            gone.append(message.row)
    rows.remove(content.transaction, content.table(ROWS), [row.uid for row in gone])
    state = content.state()
    octets = sum(row.octets for row in gone)
    state = msgspec.structs.replace(
        state,
        head=msgspec.structs.replace(state.head, deleted=state.head.deleted + len(gone)),
        usage=_grown(state.usage, -len(gone), -octets),
        deleted=_grown(state.deleted, len(gone), octets),
    )
    content.set_state(state)
    return state.head


def undelete(content: Content, delivery_ids: Sequence[DeliveryId]) -> tuple[Head, int]:
    """Put kept messages back where they were in the list; return its head and how many there were."""
    back = []
    for delivery_id in dict.fromkeys(delivery_ids):
        message = content.message(delivery_id)
        if message is not None and content.remove(DELETED, delivery_id):
            back.append(message.row)
    rows.insert(content.transaction, content.table(ROWS), back)
    state = content.state()
    octets = sum(row.octets for row in back)
    state = msgspec.structs.replace(
        state,
        head=msgspec.structs.replace(state.head, undeleted=state.head.undeleted + len(back)),
        usage=_grown(state.usage, len(back), octets),
        deleted=_grown(state.deleted, -len(back), -octets),
    )
    content.set_state(state)
    return state.head, len(back)


def purge(content: Content, before: int) -> list[Message]:
    """Destroy some of what was deleted before the moment *before*; return it: bodies that are files go afterwards."""
    due = [delivery_id for delivery_id, moment in content.deleted() if moment < before][:PURGED_AT_ONCE]
    gone = []
    for delivery_id in due:
        message = content.message(delivery_id)
        if message is None:
            content.remove(DELETED, delivery_id)
        else:
            content.destroy_message(message)
            gone.append(message)
    state = content.state()
    octets = sum(message.row.octets for message in gone)
    content.set_state(msgspec.structs.replace(state, deleted=_grown(state.deleted, -len(gone), -octets)))
    _forget_hidden(content)
    return gone


def _forget_hidden(content: Content) -> None:
    """Forget what members hid of pages on which nothing is left, deleted messages included."""
    pages = {int.from_bytes(key, "big") for key, _ in content.items(ROWS)}
    for delivery_id, _ in content.deleted():
        message = content.message(delivery_id)
        if message is not None:
            pages.add(message.row.uid // rows.ROWS_PER_PAGE)
    content.forget_hidden(pages)


# Going on with what is there


def accept(content: Content, edition: int, moment: int, advance: rows.Advance) -> tuple[Head, int]:
    """Make a list of what there is, in a new edition; return its head and how many it lists.

    Rows without a message go; messages that are neither listed nor deleted are deleted now.
    """
    listed = {row.delivery_id for row in content.rows()}
    head, kept, gone = Head(edition=edition), [], []
    for message in sorted(content.messages(), key=lambda each: each.row.uid):
        row = message.row
        uid = max(row.uid, head.appended + 1)
        chain = advance(head.chain, uid, row.octets, row.delivery_id, row.generation)
        row = msgspec.structs.replace(row, uid=uid, chain=chain)
        head = msgspec.structs.replace(head, appended=uid, chain=chain)
        content.put_message(msgspec.structs.replace(message, row=row), None)
        if row.delivery_id in listed and not content.has(DELETED, row.delivery_id):
            kept.append(row)
            continue
        gone.append(row)
        content.put(DELETED, row.delivery_id, content.get(DELETED, row.delivery_id) or number(moment))
    head = msgspec.structs.replace(head, deleted=head.appended - len(kept))
    rows.replace(content.transaction, content.table(ROWS), kept)
    usage, left = (Usage(messages=len(each), octets=sum(row.octets for row in each)) for each in (kept, gone))
    content.set_state(msgspec.structs.replace(content.state(), head=head, usage=usage, deleted=left))
    return head, len(kept)
