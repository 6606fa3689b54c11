"""Mail that a person's own secrets do not open: what a reset closed, until it is recovered."""

from msgspec import Struct

from cjsm.access.keyring import AccountKeys, MailboxKeys


class Closed(Struct, frozen=True):
    """Generations of a mailbox's keys whose mail its owner cannot open, and those of them that officers can."""

    generations: frozenset[int]
    recoverable: frozenset[int]


def closed_to_owner(keys: AccountKeys, mailbox: MailboxKeys) -> Closed:
    """Return what is closed to whoever signs in with the owner's chosen, or one-time, password."""
    slots = keys.password_slots or (keys.one_time.slots if keys.one_time is not None else ())
    epochs = {slot.epoch for slot in slots}
    opened = {each.generation for each in mailbox.grants if each.member == keys.account and each.epoch in epochs}
    closed = frozenset(each.generation for each in mailbox.generations if each.generation not in opened)
    return Closed(closed, closed & {each.generation for each in mailbox.recovery})
