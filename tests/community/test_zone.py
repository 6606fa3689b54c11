"""The zone that the community publishes."""

import msgspec

from cjsm.community import zone
from cjsm.community.records import ConnectionState, DomainState
from cjsm.community.zone import Publisher, ZoneRecord
from tests.community.communities import FIRM_CONNECTION, FIRM_DOMAIN, SUFFIX, community

PUBLISHER = Publisher(suffix=SUFFIX, host=f"relay.{SUFFIX}", reports=f"postmaster@{SUFFIX}")


def test_domains_with_mail() -> None:
    """The suffix, hosted domains, approved ones of connections that are not suspended."""
    found = set(zone.mail_domains(community()))
    assert found == {SUFFIX, *(f"{each}.{SUFFIX}" for each in ("avon", "office", "firm", "firm.co.uk"))}
    for closed in (
        msgspec.structs.replace(FIRM_DOMAIN, state=DomainState.SUSPENDED),
        msgspec.structs.replace(FIRM_CONNECTION, state=ConnectionState.SUSPENDED),
    ):
        assert FIRM_DOMAIN.name not in set(zone.mail_domains(community(closed)))


def test_records() -> None:
    """Everything for each domain; whatever does not come from the one door is to be refused."""
    made = list(zone.records(PUBLISHER, [FIRM_DOMAIN.name]))
    values = {(record.name.removesuffix(FIRM_DOMAIN.name), record.kind): record.value for record in made}
    assert values["", "MX"] == f"10 relay.{SUFFIX}."
    assert values["", "TXT"] == f"v=spf1 a:relay.{SUFFIX} -all"
    assert values["_dmarc.", "TXT"].startswith("v=DMARC1; p=reject;")
    assert values["_mta-sts.", "TXT"].startswith("v=STSv1; id=")
    assert values["_smtp._tls.", "TXT"] == f"v=TLSRPTv1; rua=mailto:postmaster@{SUFFIX}"
    assert not any("_domainkey" in record.name for record in made)


def test_keys_belong_to_the_suffix() -> None:
    """Long ones are cut into strings that a zone file takes."""
    keys = (("first", "v=DKIM1; k=rsa; p=" + "A" * 400),)
    made = next(iter(zone.records(msgspec.structs.replace(PUBLISHER, keys=keys), [SUFFIX])))
    assert made.name == f"first._domainkey.{SUFFIX}"
    assert all(len(part) <= 257 for part in made.line().split('"')[1::2])
    assert "".join(made.line().split('"')[1::2]) == keys[0][1]


def test_lines() -> None:
    """As a zone file has them."""
    assert ZoneRecord("a.example", "MX", "10 b.example.", "").line() == "a.example. IN MX 10 b.example."
    assert ZoneRecord("a.example", "TXT", "v=x", "").line() == 'a.example. IN TXT "v=x"'


def test_policy_file_and_its_number() -> None:
    """The number changes with the policy, and with nothing else."""
    other = msgspec.structs.replace(PUBLISHER, host=f"other.{SUFFIX}")
    numbers = [
        next(record.value for record in zone.records(each, [SUFFIX]) if record.name.startswith("_mta-sts"))
        for each in (PUBLISHER, PUBLISHER, other)
    ]
    assert numbers[0] == numbers[1] != numbers[2]
    assert f"mx: relay.{SUFFIX}\r\n" in zone.policy_file(PUBLISHER)
    assert "mode: enforce\r\n" in zone.policy_file(PUBLISHER)
