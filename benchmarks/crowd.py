"""A large community, made quickly: many people, each with a device password and the same messages.

Everything goes through the acts, the vault and the stores' own interfaces, but many people are one commit, and where
``eatmydata`` is installed nothing waits for the disk.
"""

import hashlib
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import ours
from benchmarks.load import Person, message
from cjsm.access import keyring
from cjsm.access.keyring import AccountKeys, MailboxKeys, SystemSecretKeys
from cjsm.command.acting import act
from cjsm.command.context import wait
from cjsm.community.acts import accounts, organisations
from cjsm.community.identifiers import LENGTH, AccountId, BodyId, DeliveryId, MailboxId, OrganisationId, SecretId
from cjsm.community.records import Account, AccountKind, Credential, DevicePassword, Life, Organisation, Profile
from cjsm.community.view import Change, View
from cjsm.configuration import load
from cjsm.store.interfaces import Delivery
from cjsm.suite import Suite
from cjsm.vault import device
from cjsm.vault.accountkeys import sign_account_key
from cjsm.vault.device import SecretKind
from cjsm.vault.hybrid import PublicKey
from cjsm.vault.mailboxes import grant, new_generation
from cjsm.vault.message import MessageSealer, SealedBody, Summary, encode_wrap
from cjsm.vault.slots import SlotKind, new_account_key, wrap_slot

_FORK = multiprocessing.get_context("fork")
#: People of one organisation, and of one commit.
_TOGETHER = 200
_QUOTA = 1 << 30
_WITHOUT_WAITING = "eatmydata"


@dataclass(frozen=True)
class Crowd:
    """So many people, each with so many messages of so many octets."""

    people: int
    messages: int
    octets: int

    def everybody(self) -> Sequence[Person]:
        """Return who they are."""
        return [_person(number) for number in range(self.people)]


def place(home: Path, crowd: Crowd) -> Path:
    """Return where *crowd* lives."""
    return home / f"crowd-{crowd.people}"


def prepare(home: Path, crowd: Crowd, say: Callable[[str], None]) -> None:
    """Make *crowd* in *home* unless it is there."""
    done = home / "crowd.json"
    if done.exists() and json.loads(done.read_text()) == asdict(crowd):
        return
    shutil.rmtree(home, ignore_errors=True)
    faster = shutil.which(_WITHOUT_WAITING)
    how = "" if faster else f"; several times faster after apt-get install {_WITHOUT_WAITING}"
    say(f"making {crowd.people:,} mailboxes with {crowd.people * crowd.messages:,} messages{how}")
    began = time.monotonic()
    numbers = [str(number) for number in (crowd.people, crowd.messages, crowd.octets)]
    command = [sys.executable, "-m", "benchmarks.crowd", str(home), *numbers]
    subprocess.run([faster, *command] if faster else command, check=True)
    done.write_text(json.dumps(asdict(crowd)))
    say(f"made in {time.monotonic() - began:,.0f} s")


def _person(number: int) -> Person:
    user_id = f"person{number}.crowd@{_abbreviation(number)}"
    return Person(user_id, f"{user_id}.bench.test", _secret(number))


def _abbreviation(number: int) -> str:
    return f"crowd{number // _TOGETHER}"


def _secret(number: int) -> str:
    """Return a device password that needs not be kept: it follows from the number."""
    return device.make(SecretKind.DEVICE, lambda octets: hashlib.sha256(b"crowd %d" % number).digest()[:octets])


def _make(home: Path, crowd: Crowd) -> None:
    config = ours.settle(home)
    groups = range(0, crowd.people, _TOGETHER)
    workers = os.cpu_count() or 1
    shares = [groups[worker::workers] for worker in range(workers)]
    running = [_FORK.Process(target=_work, args=(config, crowd, share, not at)) for at, share in enumerate(shares)]
    for worker in running:
        worker.start()
    for worker in running:
        worker.join()
    if any(worker.exitcode for worker in running):
        raise SystemExit("making the crowd failed")


def _work(config: Path, crowd: Crowd, groups: Sequence[int], tells: bool) -> None:
    suite = Suite(load(config))
    letters = [_Letter(number, crowd.octets) for number in range(crowd.messages)]
    for done, first in enumerate(groups):
        _make_group(suite, range(first, min(first + _TOGETHER, crowd.people)), letters)
        wait(suite.stores.activity.flush())
        if tells and sys.stderr.isatty():
            print(f"\r{done * 100 // len(groups)} %", end="", file=sys.stderr, flush=True)
    wait(suite.stores.close())


class _Letter:
    """One message to everybody, sealed once."""

    def __init__(self, number: int, octets: int) -> None:
        self._sealer = MessageSealer(BodyId(os.urandom(LENGTH)))
        sealed = self._sealer.write(message("jo@bench.test", ["all@bench.test"], octets, number).removesuffix(b".\r\n"))
        last, self._body = self._sealer.finish()
        self._sealed = sealed + last

    def to(self, suite: Suite, mailbox: MailboxId, public: PublicKey) -> Delivery:
        """Return the message for one mailbox."""
        body: SealedBody = self._body
        wrap = self._sealer.wrap(
            mailbox,
            1,
            DeliveryId(os.urandom(LENGTH)),
            to=public,
            prefix=b"",
            acceptance=suite.secrets.acceptance,
            moment=int(time.time()),
        )
        summary = Summary(sender="jo", to="all", subject="Report", date="", octets=wrap.octets)
        return Delivery(
            delivery_id=wrap.delivery_id,
            spool_sequence=0,
            generation=1,
            octets=wrap.octets,
            body_id=body.body_id,
            sealed_octets=body.sealed_octets,
            wrap=encode_wrap(wrap),
            summary=self._sealer.seal_summary(summary),
            body=self._sealed,
        )


def _make_group(suite: Suite, numbers: range, letters: Sequence[_Letter]) -> None:
    abbreviation = _abbreviation(numbers[0])
    organisation = OrganisationId((numbers[0] + 1).to_bytes(LENGTH, "big"))
    made = Organisation(id=organisation, parent=None, slug=abbreviation, name=abbreviation, abbreviation=abbreviation)
    act(suite, lambda view, by: organisations.add(view, by, made))
    people = [_keys(suite, organisation, number) for number in numbers]
    by = suite.by()

    def decide(view: View) -> Change:
        changes = [accounts.add_hosted(view, by, account) for account, _ in people]
        return Change(put=tuple(record for change in changes for record in change.put), entry=changes[-1].entry)

    wait(suite.stores.community.commit(by.act_id, decide))
    for account, public in people:
        if account.mailbox is not None and letters:
            wait(
                suite.stores.mail.deliver(
                    account.mailbox, [each.to(suite, account.mailbox, public) for each in letters], 0
                )
            )


def _keys(suite: Suite, organisation: OrganisationId, number: int) -> tuple[Account, PublicKey]:
    """Put somebody's keys in the key store; return the account, and the key that mail is sealed to."""
    identifier, mailbox = AccountId(os.urandom(LENGTH)), MailboxId(os.urandom(LENGTH))
    seed, unsigned = new_account_key(identifier, 1)
    public = sign_account_key(unsigned, suite.secrets.community)
    known = _device(suite, identifier, seed, number)
    mail_seed, generation = new_generation(mailbox, 1, suite.secrets.community)
    granted = grant(mail_seed, generation, identifier, 1, PublicKey(public.public))
    account_keys = AccountKeys(account=identifier, epochs=(public,), devices=(known,))
    mailbox_keys = MailboxKeys(mailbox=mailbox, generations=(generation,), grants=(granted,))
    wait(suite.stores.keys.put(identifier, 1, keyring.encode(account_keys)))
    wait(suite.stores.keys.put(mailbox, 1, keyring.encode(mailbox_keys)))
    password = DevicePassword(id=known.id, name="laptop", protocols=("pop3",), created=int(time.time()))
    account = Account(
        id=identifier,
        organisation=organisation,
        kind=AccountKind.HOSTED,
        user_id=_person(number).user_id,
        profile=Profile(first_name=f"Person{number}", last_name="Crowd"),
        life=Life.ACTIVE,
        credential=Credential.CHOSEN,
        mailbox=mailbox,
        quota=_QUOTA,
        keys=1,
        mailbox_keys=1,
        device_passwords=(password,),
    )
    return account, PublicKey(generation.public)


def _device(suite: Suite, account: AccountId, seed: bytes, number: int) -> SystemSecretKeys:
    secret, peppers, identifier = (
        device.parse(_secret(number).encode()),
        suite.secrets.peppers,
        SecretId(os.urandom(LENGTH)),
    )
    if secret is None:
        raise AssertionError("a fresh secret has its own shape")
    slot = wrap_slot(
        seed,
        device.key(secret, peppers.number, peppers),
        account=account,
        epoch=1,
        kind=SlotKind.DEVICE,
        pepper=peppers.number,
        secret=identifier,
    )
    return SystemSecretKeys(id=identifier, verifier=device.verifier(secret, peppers), slots=(slot,))


if __name__ == "__main__":
    _make(Path(sys.argv[1]), Crowd(*map(int, sys.argv[2:])))
