"""After every act on keys nothing that opens mail, and no mail, can be read below the data directory."""

import base64
import os
import secrets
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cjsm.access import sharing as shared_rooms
from cjsm.access.destruction import Destruction
from cjsm.community.acts import moving, organisations
from cjsm.community.acts.lives import LifeStep, change_life
from cjsm.community.identifiers import AccountId, JobId, OrganisationId
from cjsm.community.records import Job, MailboxRight, Organisation, SharedMember
from cjsm.configuration import KeySettings
from cjsm.vault import escrow, hybrid, primitives

from .support import ORGANISATION, OTHER_PASSWORD, PASSWORD, House, logged, now
from .test_recovering import OLIVE, UNA, Place

CANARY = b"canary 7c1f evidence"
CHOSEN = b"seventeen lanterns over water"


def test_nothing_readable(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in files nor in the log: content, passwords, system-made secrets, seeds, keys, message keys."""
    forbidden: set[bytes] = {CANARY, PASSWORD, OTHER_PASSWORD, OLIVE, UNA}
    watch(monkeypatch, forbidden)
    with logged() as texts:
        everything(house, forbidden)
        house.close()
    assert len(forbidden) > 40
    found = {
        path.name for path in house.directory.rglob("*") if path.is_file() and any_of(path.read_bytes(), forbidden)
    }
    assert found == set()
    assert not any_of("\n".join(texts).encode(), forbidden)
    house.open()


def any_of(octets: bytes, forbidden: set[bytes]) -> bool:
    return any(each in octets or each.hex().encode() in octets for each in forbidden)


def watch(monkeypatch: pytest.MonkeyPatch, forbidden: set[bytes]) -> None:
    """Note every seed and every key that something is sealed or opened with."""
    private = hybrid.PrivateKey.__init__
    seal_once, open_once = primitives.seal_once, primitives.open_once

    def made(self: Any, seed: bytes) -> None:
        forbidden.add(bytes(seed))
        private(self, seed)

    monkeypatch.setattr(hybrid.PrivateKey, "__init__", made)
    for module in ("slots", "message", "unlock"):

        def sealed(key: bytes, *more: Any) -> bytes:
            forbidden.add(key)
            return seal_once(key, *more)

        def opened(key: bytes, *more: Any) -> bytes:
            forbidden.add(key)
            return open_once(key, *more)

        monkeypatch.setattr(f"cjsm.vault.{module}.seal_once", sealed)
        monkeypatch.setattr(f"cjsm.vault.{module}.open_once", opened, raising=False)


def everything(house: House, forbidden: set[bytes]) -> None:
    """Officers, devices, resets, recovery, access for a time, sharing, second factor, codes, a move, rotation, escrow,
    destruction.
    """
    place = Place(house)
    by = house.enrolment.by
    jo, al = place.jo, house.join("al.other", PASSWORD)
    device = now(house.enrolment.add_device(by(jo.id), jo.id, PASSWORD, name="x", protocols=("pop3",)))
    forbidden.add(device.secret.encode())
    house.deliver(place.mailbox, CANARY + b"\r\n" + CANARY * 20_000, in_file=True)
    house.deliver(place.mailbox, CANARY)
    assert len(place.letters(secret=device.secret.encode())) == 2
    made = now(place.life.reset(by(reason="forgotten"), jo.id))
    forbidden.add(made.one_time_password.encode())
    house.choose(jo.id, made.one_time_password.encode(), OTHER_PASSWORD)
    place.both(place.request())
    place.both(now(place.recovering.request(by(reason="other"), jo.id, al.id, 3)))
    assert len(place.letters()) == 2
    sharing = shared_rooms.Sharing(
        house.enrolment,
        place.life.generations,
        KeySettings(),
        community=house.community,
        keys=house.keys,
        secrets=house.secrets,
        entropy=os.urandom,
    )
    first = SharedMember(account=jo.id, rights=(MailboxRight.READ,))
    desk = now(sharing.add(by(), ORGANISATION, "desk", "Desk", first, 1 << 20)).id
    house.deliver(desk, CANARY)
    opener = shared_rooms.Opener(jo.id, OTHER_PASSWORD)
    now(sharing.join(by(), desk, al.id, (MailboxRight.READ,), opener=opener))
    assert place.letters("al.other@avon/desk", PASSWORD) == [CANARY]
    now(sharing.leave(by(), desk, jo.id))
    own_acts(house, al.id, forbidden)
    region = Organisation(id=OrganisationId(b"the region above"), parent=None, slug="region", name="Region")
    above = msgspec.structs.replace(region, abbreviation="region")
    house.commit(lambda view, by: organisations.add(view, by, above))
    house.commit(lambda view, by: moving.move(view, by, ORGANISATION, region.id))
    place.rotate()
    put_away(house, forbidden)
    house.commit(lambda view, by: change_life(view, by, jo.id, LifeStep.DELETE), "left")
    house.moment += 31 * 86_400
    destruction = Destruction(KeySettings(), keys=house.keys, mail=house.mail, activity=house.activity, **place.acting)
    assert now(destruction.run(Job(id=JobId(b"j" * 16), kind="x", due=0))) == "1 users destroyed"
    assert Path(house.directory).is_dir()


def own_acts(house: House, account: AccountId, forbidden: set[bytes]) -> None:
    """A second factor, a password chosen with a recovery code, new codes, and the factor taken away again."""
    one, codes = house.turn_on(account)
    forbidden |= {one.secret, base64.b32encode(one.secret), *(code.encode() for code in codes)}
    house.choose(account, codes[0].encode(), CHOSEN)
    forbidden.add(CHOSEN)
    house.moment += 30
    fresh = now(house.factors.new_codes(house.enrolment.by(account), account, CHOSEN, one.code()))
    forbidden |= {code.encode() for code in fresh}
    now(house.factors.remove(house.enrolment.by(account), account, CHOSEN, fresh[0].encode()))


def put_away(house: House, forbidden: set[bytes]) -> None:
    """The service secrets for the safe, beside the data; whoever has one share has nothing."""
    files = {"pepper.1": secrets.token_hex(32), "community.1": secrets.token_hex(32)}
    forbidden |= {bytes.fromhex(value) for value in files.values()}
    made = escrow.make(files, needed=2, shares=3)
    (house.directory / "secrets.escrow").write_bytes(made.sealed)
    forbidden |= {share.encode() for share in made.shares}
