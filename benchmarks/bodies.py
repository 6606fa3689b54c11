"""What one message to many costs: sealed once, one copy on the disk, a key for each recipient."""

import itertools
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from cjsm.community.identifiers import BodyId, DeliveryId, MailboxId
from cjsm.configuration import Settings, StoreSettings
from cjsm.mail.delivery import deliveries_of
from cjsm.store.interfaces import Delivery, SpoolBatch, SpoolDelivery, SpoolEntry
from cjsm.store.lmdb.disk import InlineDisk
from cjsm.stores import Stores
from cjsm.vault.hybrid import PrivateKey, PublicKey, new_seed
from cjsm.vault.message import MessageSealer, SealedBody, Summary, encode_wrap
from cjsm.vault.secrets import Versions
from cjsm.vault.signing import SigningKey

_PIECE = 64 * 1024


@dataclass(frozen=True)
class Cost:
    """One message of *octets* for *recipients* whose mailboxes are there: seconds, and octets on the disk."""

    octets: int
    recipients: int
    sealing: float
    wrapping: float
    accepting: float
    delivering: float
    on_disk: int
    mailbox: int
    links: int
    after_one_was_destroyed: int

    def line(self) -> str:
        """Return what people read."""
        each = self.octets * self.recipients
        told = f"{self.links} links, {self.after_one_was_destroyed} after one mailbox was destroyed"
        return (
            f"{self.octets / 1e6:7.3f} MB to {self.recipients:5d}: sealed {self.sealing * 1000:6.1f} ms, "
            f"keys {self.wrapping * 1000:6.1f} ms, accepted {self.accepting * 1000:5.1f} ms, delivered "
            f"{self.delivering * 1000 / self.recipients:5.2f} ms each   disk {self.on_disk / 1e6:6.1f} MB "
            f"({each / 1e6:.0f} MB with a copy each); {told if self.links else 'inside the mailboxes'}; "
            f"a mailbox itself {self.mailbox / 1000:.0f} kB"
        )

    def document(self) -> dict[str, object]:
        """Return what programs read."""
        return asdict(self)


def measure(home: Path, say: Callable[[str], None], recipients: int = 1_000) -> list[Cost]:
    """Send messages of several sizes to many mailboxes each."""
    costs = []
    for octets in (5_000, 75_000, 1_000_000, 10_000_000):
        shutil.rmtree(home / "bodies", ignore_errors=True)
        costs.append(_cost(home / "bodies", octets, recipients))
        say(costs[-1].line())
    shutil.rmtree(home / "bodies", ignore_errors=True)
    return costs


def _now(deferred: "Deferred[Any]") -> Any:
    found: list[Any] = []
    deferred.addBoth(found.append)
    if isinstance(found[0], BaseException) or hasattr(found[0], "raiseException"):
        found[0].raiseException()
    return found[0]


def _cost(home: Path, octets: int, recipients: int) -> Cost:
    home.mkdir(parents=True)
    stores = Stores(Settings(store=StoreSettings(data_directory=str(home), disk_floor=1)), InlineDisk())
    stores.spool.own()
    mailboxes = [MailboxId(os.urandom(16)) for _ in range(recipients)]
    empty = used(home)
    # What a mailbox costs that has something is not what this message costs.
    for mailbox in mailboxes:
        _now(stores.mail.deliver(mailbox, [_small()], 0))
    before = used(home)
    clock = [time.perf_counter()]
    sealer, body, inline = _sealed(stores, octets, recipients)
    clock.append(time.perf_counter())
    deliveries = _wrapped(sealer, body, mailboxes)
    clock.append(time.perf_counter())
    entry = SpoolEntry(
        id=os.urandom(16),
        accepted=int(time.time()),
        body_id=body.body_id,
        sealed_octets=body.sealed_octets,
        summary=sealer.seal_summary(Summary(sender="", to="", subject="", date="", octets=octets)),
        envelope=b"",
        deliveries=deliveries,
        body=inline,
    )
    _now(stores.spool.put(SpoolBatch(id=entry.id, hosted=(entry,))))
    clock.append(time.perf_counter())
    links = _deliver(stores)
    clock.append(time.perf_counter())
    on_disk = used(home) - before
    _now(stores.mail.destroy(mailboxes[0]))
    left = 0 if inline is not None else _links(home, mailboxes[1])
    _now(Deferred.fromCoroutine(stores.close()))
    sealing, wrapping, accepting, delivering = (after - earlier for earlier, after in itertools.pairwise(clock))
    itself = (before - empty) // recipients
    return Cost(octets, recipients, sealing, wrapping, accepting, delivering, on_disk, itself, links, left)


def _small() -> Delivery:
    return Delivery(
        delivery_id=DeliveryId(os.urandom(16)),
        spool_sequence=0,
        generation=1,
        octets=10,
        body_id=BodyId(os.urandom(16)),
        sealed_octets=6,
        wrap=bytes(1_400),
        summary=bytes(200),
        body=b"sealed",
    )


def _sealed(stores: Stores, octets: int, recipients: int) -> tuple[MessageSealer, SealedBody, bytes | None]:
    """Seal a message once; to a file where its copies would take much, as acceptance does."""
    body_id = BodyId(os.urandom(16))
    sealer = MessageSealer(body_id)
    limit = _inline(recipients)
    plain = os.urandom(_PIECE)
    writer = _now(stores.bodies.create(body_id)) if octets > limit else None
    kept = []
    for at in range(0, octets, _PIECE):
        kept.append(sealer.write(plain[: octets - at]))
        if writer is not None:
            writer.write(kept.pop())
    last, body = sealer.finish()
    if writer is None:
        return sealer, body, b"".join([*kept, last])
    writer.write(last)
    _now(writer.finish())
    return sealer, body, None


def _inline(recipients: int) -> int:
    """Return up to which size a body lies in the mailboxes themselves (`store.inline_body`, a mebibyte for all)."""
    limit = StoreSettings().inline_body
    return min(limit, 4 * limit // recipients)


def _wrapped(sealer: MessageSealer, body: SealedBody, mailboxes: list[MailboxId]) -> tuple[SpoolDelivery, ...]:
    acceptance = Versions("acceptance", {1: SigningKey.from_octets(os.urandom(32))})
    public = PublicKey(PrivateKey(new_seed()).public)
    made = []
    for mailbox in mailboxes:
        delivery_id = DeliveryId(os.urandom(16))
        wrap = sealer.wrap(
            mailbox, 1, delivery_id, to=public, prefix=b"", acceptance=acceptance, moment=int(time.time())
        )
        made.append(
            SpoolDelivery(
                mailbox=mailbox, delivery_id=delivery_id, generation=1, octets=wrap.octets, wrap=encode_wrap(wrap)
            )
        )
    return tuple(made)


def _deliver(stores: Stores) -> int:
    """Deliver what is in the spool as the service does; return how many links the body has in the end."""
    links = 0
    for claimed in _now(stores.spool.claim("benchmark", 10, int(time.time()) + 600)):
        for mailbox, delivery in deliveries_of(claimed):
            _now(stores.mail.deliver(mailbox, [delivery], stores.spool.low_water()))
        _now(stores.spool.done([(claimed.sequence, claimed.remaining)]))
        if claimed.entry.body is None:
            links = _links(stores.directory, mailbox)
    return links


def _links(home: Path, mailbox: MailboxId) -> int:
    name = mailbox.hex()
    (body,) = (home / "mailboxes" / name[:2] / name / "bodies").iterdir()
    return body.stat().st_nlink


def used(directory: Path) -> int:
    """Return the octets that files in *directory* take on the disk, each counted once however many names it has."""
    seen: dict[tuple[int, int], int] = {}
    for path in directory.rglob("*"):
        status = path.lstat()
        seen[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(seen.values())
