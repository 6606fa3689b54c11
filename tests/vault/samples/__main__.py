"""Writes a sample of every stored form with the present code: hexadecimal octets by name."""

import hashlib
import json
import sys
from pathlib import Path

import msgspec

from cjsm.community.identifiers import AccountId, BodyId, DeliveryId, MailboxId, OrganisationId
from cjsm.vault import device, passwords, tags
from cjsm.vault.accountkeys import sign_account_key
from cjsm.vault.chain import START, advance
from cjsm.vault.encoding import SUITE
from cjsm.vault.factor import seal_factor
from cjsm.vault.hybrid import PrivateKey, PublicKey
from cjsm.vault.mailboxes import grant, new_generation
from cjsm.vault.message import MessageSealer, Summary, encode_wrap
from cjsm.vault.officers import grant_officer, new_recovery_key
from cjsm.vault.queue import EnvelopeSealer
from cjsm.vault.recovery import release, wrap_for_recovery
from cjsm.vault.secrets import NAMES, ServiceSecrets
from cjsm.vault.slots import KeyUse, SlotKind, new_account_key, wrap_slot

MAILBOX = MailboxId(b"sample mailbox 1")
DELIVERY = DeliveryId(b"sample delivery1")
BODY = BodyId(b"sample body id 1")
ACCOUNT = AccountId(b"sample account 1")
ORGANISATION = OrganisationId(b"sample organ 001")
PARENT = OrganisationId(b"sample organ 000")
PASSWORD = "correct horse bättery".encode()
FACTOR = b"12345678901234567890"
PLAINTEXT = b"Subject: sample\r\n\r\nHello.\r\n"
PREFIX = b"Return-Path: <jo@firm.cjsm.test>\r\n"
SUMMARY = Summary(sender="Jo", to="Sam", subject="sample", date="Thu, 1 Jan 2026 00:00:00 +0000", octets=60)
ENVELOPE = b"sample envelope"
MOMENT = 1_767_225_600
LONG = hashlib.shake_128(b"long sample body").digest(150_000)


class Counter:
    """Octets that look random and are the same each time."""

    def __init__(self, name: bytes) -> None:
        self._name = name
        self._count = 0

    def __call__(self, length: int) -> bytes:
        self._count += 1
        return hashlib.shake_256(self._name + self._count.to_bytes(4, "big")).digest(length)


def held() -> dict[str, dict[int, bytes]]:
    """The service secrets of the samples."""
    entropy = Counter(b"service secrets")
    return {name: {1: entropy(32)} for name in NAMES}


def long_body() -> bytes:
    """A sealed body of three segments under a fixed key."""
    sealer = MessageSealer(BODY, Counter(b"long body"))
    return sealer.write(LONG) + sealer.finish()[0]


def samples() -> dict[str, bytes]:
    """One octet string for every stored form, and what is needed to open it."""
    secrets = ServiceSecrets(held())
    encode = msgspec.msgpack.encode
    mail_seed, account_key = new_account_key(ACCOUNT, 1, entropy=Counter(b"mail key"))
    authority_seed, authority_key = new_account_key(ACCOUNT, 1, KeyUse.AUTHORITY, Counter(b"authority key"))
    seed, generation = new_generation(MAILBOX, 1, secrets.community, Counter(b"generation"))
    recovery_seed, recovery_key = new_recovery_key(ORGANISATION, 1, secrets.community, Counter(b"recovery key"))
    stretch = passwords.new_stretch(secrets.peppers, memory=64, iterations=1)
    password_key = passwords.stretch(stretch, PASSWORD, secrets.peppers)
    typed = device.make(device.SecretKind.DEVICE)
    secret = device.parse(typed.encode())
    assert secret is not None
    device_key = device.key(secret, 1, secrets.peppers)
    sealer = MessageSealer(BODY)
    body = sealer.write(PLAINTEXT) + sealer.finish()[0]
    wrap = sealer.wrap(
        MAILBOX,
        1,
        DELIVERY,
        to=PublicKey(generation.public),
        prefix=PREFIX,
        acceptance=secrets.acceptance,
        moment=MOMENT,
    )
    officer, counter = PrivateKey(Counter(b"officer")(32)), PrivateKey(Counter(b"counter-signer")(32))
    recovery = wrap_for_recovery(
        seed,
        generation,
        organisation=ORGANISATION,
        key_number=1,
        to=PublicKey(officer.public),
        counter_signer=PARENT,
        counter_number=1,
        counter_to=PublicKey(counter.public),
    )
    envelopes = EnvelopeSealer(secrets.queue_public.current, 1, Counter(b"envelope"))
    return {
        "mail seed": mail_seed,
        "authority seed": authority_seed,
        "mailbox seed": seed,
        "device password": typed.encode(),
        "password verifier": encode(passwords.hash_password(PASSWORD, secrets.peppers, cost=4)),
        "stretch": encode(stretch),
        "secret verifier": encode(device.verifier(secret, secrets.peppers)),
        "account key": encode(account_key),
        "authority key": encode(authority_key),
        "signed account key": encode(sign_account_key(account_key, secrets.community)),
        "recovery seed": recovery_seed,
        "recovery key": encode(recovery_key),
        "officer grant": encode(
            grant_officer(recovery_seed, recovery_key, ACCOUNT, 1, PublicKey(authority_key.public))
        ),
        "password slot": encode(
            wrap_slot(mail_seed, password_key, account=ACCOUNT, epoch=1, kind=SlotKind.PASSWORD, pepper=1)
        ),
        "device slot": encode(
            wrap_slot(
                mail_seed,
                device_key,
                account=ACCOUNT,
                epoch=1,
                kind=SlotKind.DEVICE,
                pepper=1,
                secret=b"sample secret 01",
            )
        ),
        "authority slot": encode(
            wrap_slot(
                authority_seed,
                password_key,
                account=ACCOUNT,
                epoch=1,
                kind=SlotKind.PASSWORD,
                pepper=1,
                use=KeyUse.AUTHORITY,
            )
        ),
        "second factor": encode(seal_factor(FACTOR, ACCOUNT, secrets.peppers, Counter(b"second factor"))),
        "generation key": encode(generation),
        "grant": encode(grant(seed, generation, ACCOUNT, 1, PublicKey(account_key.public))),
        "recovery wrap": encode(recovery),
        "released wrap": encode(release(recovery, generation, counter)),
        "wrap": encode_wrap(wrap),
        "body": body,
        "summary": sealer.seal_summary(SUMMARY),
        "long body digest": hashlib.sha256(long_body()).digest(),
        "envelope": envelopes.seal(b"sample entry", ENVELOPE),
        "chain": advance(advance(START, 1, 60, DELIVERY, 1), 2, 70, DELIVERY, 1),
        "failure tag": tags.failure_tag(secrets.cache.current, ACCOUNT, PASSWORD).to_bytes(2, "big"),
        "unknown subject": tags.unknown_subject(secrets.cache.current, "jo.smith@avon"),
        "pseudonym": tags.pseudonym(secrets.cache.current, b"jo@firm.cjsm.test").encode(),
    }


if __name__ == "__main__":
    told = {"suite": str(SUITE)} | {name: octets.hex() for name, octets in samples().items()}
    target = Path(sys.argv[1])
    if target.exists():
        sys.exit(f"{target} is kept for good; write another file")
    target.write_text(json.dumps(told, indent=1) + "\n", encoding="ascii")
