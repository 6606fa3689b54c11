"""What depends on an older pepper: second factors no longer, others are counted."""

import os
from collections import Counter

from cjsm.access.peppers import Resealing, counted
from cjsm.community.identifiers import JobId
from cjsm.community.records import Job
from cjsm.vault.secrets import ServiceSecrets, Versions

from .support import OTHER_PASSWORD, PASSWORD, SECRETS, House, now
from .test_renewing import rotated

JOB = Job(id=JobId(b"j" * 16), kind="factors", due=0)


def resealing(house: House, secrets: ServiceSecrets) -> Resealing:
    return Resealing(community=house.community, keys=house.keys, secrets=secrets, entropy=os.urandom)


def test_second_factors_come_under_the_newest(house: House) -> None:
    """By themselves, in one entry; codes of the telephone are taken when the older pepper is gone."""
    jo, al = house.join(), house.join("al.other", OTHER_PASSWORD)
    authenticator = house.authenticator(jo.id, PASSWORD)
    house.add_device(al.id, current=OTHER_PASSWORD)
    assert now(resealing(house, house.secrets).run(JOB)) == "every second factor is sealed under the newest pepper"
    before = counted(house.community, house.keys)
    assert before[1]["second factors"] == 1
    house.secrets = rotated()
    job = resealing(house, house.secrets)
    entries = len(house.entries())
    assert now(job.run(JOB)) == "1 second factors sealed anew"
    assert [entry.act for entry in house.entries()[entries:]] == ["factors-resealed"]
    assert now(job.run(JOB)) == "every second factor is sealed under the newest pepper"
    assert now(resealing(house, house.secrets).run(JOB)) == "0 second factors sealed anew"
    after = counted(house.community, house.keys)
    assert after[2] == Counter({"second factors": 1})
    assert after[1] == before[1] - Counter({"second factors": 1})
    assert after[1]["passwords"] == 2
    only = rotated()
    only.peppers = Versions("pepper", {2: only.peppers.of(2)})
    house.secrets = only
    house.close()
    house.open()
    house.moment += 60
    now(house.factors.prove(jo.id, authenticator.code()))
    assert SECRETS.peppers.numbers == (1,)
