"""How fast mail may come in."""

from collections.abc import Callable

import pytest
from twisted.logger import LogEvent, capturedLogs

from cjsm.community.identifiers import AccountId, ConnectionId
from cjsm.community.verdicts import AccountOrigin, ConnectionOrigin, Service, ServiceOrigin
from cjsm.configuration import RatesSettings
from cjsm.mail.interfaces import Refused
from cjsm.mail.rates import Rates
from cjsm.sources import SharedNetworks

JANE, JOHN = AccountOrigin(AccountId(b"j" * 16)), AccountOrigin(AccountId(b"o" * 16))
FIRM = ConnectionOrigin(ConnectionId(b"f" * 16))
DSN = ServiceOrigin(Service.DSN)
HERE, THERE = "192.0.2.1", "2001:db8::1"
FREE = RatesSettings(
    account_messages_per_minute=0,
    account_messages_per_day=0,
    account_recipients_per_minute=0,
    account_recipients_per_day=0,
    account_refused_recipients_per_hour=0,
    source_messages_per_minute=0,
    listed_network_messages_per_minute=0,
    connection_messages_per_minute=0,
    connection_refused_recipients_per_minute=0,
    messages_per_minute=0,
)


def rates(shared: tuple[str, ...] = (), **limits: int) -> Rates:
    """Nothing but *limits*."""
    values = {name: getattr(FREE, name) for name in FREE.__struct_fields__} | limits
    return Rates(RatesSettings(**values), name=lambda whose: f"<{len(whose)}>", shared=SharedNetworks(shared))


def passed(ask: Callable[[], None], tries: int = 1_000) -> int:
    """How often *ask* is answered with yes before it is refused."""
    for count in range(tries):
        try:
            ask()
        except Refused:
            return count
    return tries


def refusal(ask: Callable[[], None]) -> Refused:
    """With what *ask* is refused."""
    with pytest.raises(Refused) as refused:
        ask()
    return refused.value


def test_messages_of_an_account() -> None:
    """A minute's messages at once, then one as each comes back; others have their own."""
    house = rates(account_messages_per_minute=60)
    assert passed(lambda: house.message(JANE, HERE, 1_000)) == 60
    said = refusal(lambda: house.message(JANE, HERE, 1_000))
    assert str(said) == "451 4.7.0 too many messages from this account: try again in 1 second"
    assert passed(lambda: house.message(JANE, HERE, 1_003)) == 3
    assert passed(lambda: house.message(JOHN, HERE, 1_000)) == 60
    assert passed(lambda: house.message(JANE, HERE, 5_000)) == 60


def test_a_day_is_a_limit_of_its_own() -> None:
    """Who stays within each minute may be over the day; the words say how long that is."""
    house = rates(account_messages_per_minute=10, account_messages_per_day=24)
    sent = sum(passed(lambda now=minute * 60.0: house.message(JANE, HERE, now)) for minute in range(5))  # type: ignore[misc]
    assert sent == 24
    assert "try again in 55 minutes" in refusal(lambda: house.message(JANE, HERE, 300)).text
    house = rates(account_messages_per_day=2)
    assert passed(lambda: house.message(JANE, HERE, 0)) == 2
    assert "try again in 12 hours" in refusal(lambda: house.message(JANE, HERE, 0)).text


def test_what_is_refused_counts_nowhere() -> None:
    """Or who asks again and again would never be let in, nor anybody else."""
    house = rates(account_messages_per_minute=1, source_messages_per_minute=2, messages_per_minute=3)
    assert passed(lambda: house.message(JANE, HERE, 0)) == 1
    for _ in range(50):
        refusal(lambda: house.message(JANE, HERE, 1))
    house.message(JOHN, HERE, 1)
    house.message(JOHN, THERE, 61)
    house.message(JANE, HERE, 61)


def test_messages_of_a_network() -> None:
    """Accounts behind one address share a limit; those in a listed network another; IPv6 counts by its /64."""
    house = rates(("198.51.100.0/24",), source_messages_per_minute=2, listed_network_messages_per_minute=5)
    every = [AccountOrigin(AccountId(bytes((number,)) * 16)) for number in range(20)]
    for source, most in ((HERE, 2), ("198.51.100.7", 5), (THERE, 2), ("2001:db8::2", 0), ("2001:db8:0:1::1", 2)):
        asked = iter(every)
        assert passed(lambda source=source, asked=asked: house.message(next(asked), source, 0), 20) == most  # type: ignore[misc]
    assert "your network" in refusal(lambda: house.message(JANE, HERE, 0)).text
    assert passed(lambda: house.message(JANE, "", 0), 50) == 50


def test_messages_of_a_connection() -> None:
    """The setting, or its own figure, which may be none at all."""
    house = rates(connection_messages_per_minute=3)
    assert passed(lambda: house.message(FIRM, HERE, 0)) == 3
    assert "this connection" in refusal(lambda: house.message(FIRM, HERE, 0)).text
    assert passed(lambda: house.message(FIRM, HERE, 100, per_minute=7)) == 7
    assert passed(lambda: house.message(FIRM, HERE, 200, per_minute=0)) == 1_000


def test_messages_in_all() -> None:
    """Everybody's together, but never the service's own."""
    house = rates(messages_per_minute=3)
    for origin in (JANE, JOHN, FIRM):
        house.message(origin, HERE, 0)
    assert str(refusal(lambda: house.message(JANE, HERE, 0))).startswith("451 4.3.2 too many messages at the moment")
    assert passed(lambda: house.message(DSN, "", 0)) == 1_000


def test_recipients_of_an_account() -> None:
    """Of accounts only: an organisation's mail has thousands of readers."""
    house = rates(account_recipients_per_minute=5)
    assert passed(lambda: house.recipient(JANE, 0)) == 5
    assert str(refusal(lambda: house.recipient(JANE, 0))).startswith("450 4.7.0 too many recipients from this account")
    assert passed(lambda: house.recipient(FIRM, 0)) == 1_000
    assert passed(lambda: house.recipient(DSN, 0)) == 1_000
    house = rates(account_recipients_per_minute=5, account_recipients_per_day=6)
    assert passed(lambda: house.recipient(JANE, 0)) == 5
    assert passed(lambda: house.recipient(JANE, 60)) == 1


def test_who_tries_names_learns_nothing() -> None:
    """After too many recipients that do not exist, those that do are answered the same, until the hour has passed."""
    house = rates(account_refused_recipients_per_hour=4)
    for _ in range(4):
        house.recipient(JANE, 0)
        house.refused_recipient(JANE, 0)
    existing = refusal(lambda: house.recipient(JANE, 0))
    unknown = refusal(lambda: house.refused_recipient(JANE, 0))
    assert (
        str(existing)
        == str(unknown)
        == ("450 4.7.0 too many recipients that do not exist here: try again in 15 minutes")
    )
    house.recipient(JOHN, 0)
    house.recipient(JANE, 901)


def test_a_bad_list_costs_an_organisation_no_good_mail() -> None:
    """Only its recipients that do not exist wait."""
    house = rates(connection_refused_recipients_per_minute=2)
    assert passed(lambda: house.refused_recipient(FIRM, 0)) == 2
    house.recipient(FIRM, 0)
    assert passed(lambda: house.refused_recipient(DSN, 0)) == 1_000


def test_the_log_is_not_flooded() -> None:
    """One event for each origin and minute, with a pseudonym, the limit, and how many more there were."""
    house = rates(account_messages_per_minute=1)
    with capturedLogs() as captured:
        for origin in (JANE, JOHN):
            house.message(origin, HERE, 0)
        for _ in range(500):
            refusal(lambda: house.message(JANE, HERE, 1))
        refusal(lambda: house.message(JOHN, HERE, 2))
        for moment in (60.5, 61.5, 62):
            passed(lambda moment=moment: house.message(JANE, HERE, moment))  # type: ignore[misc]
    events: list[LogEvent] = captured
    assert [(event["whose"], event["more"]) for event in events] == [("<16>", 0), ("<16>", 0), ("<16>", 500)]
    assert "60 seconds" in events[0]["log_format"].format(**events[0])


def test_memory_is_bounded() -> None:
    """Those not asked for longest are forgotten; who is busy is remembered."""
    house = rates(account_messages_per_minute=5, account_recipients_per_minute=1, remembered=10)
    assert passed(lambda: house.message(JANE, HERE, 0)) == 5
    for number in range(100):
        other = AccountOrigin(AccountId(number.to_bytes(16, "big")))
        house.message(other, HERE, 0)
        house.recipient(other, 0)
        refusal(lambda other=other: house.recipient(other, 0))  # type: ignore[misc]
        house.recipient(JANE, number * 60)
    refusal(lambda: house.recipient(JANE, 99 * 60))
    assert len(house._buckets) == 10
    assert len(house._told) == 10


def test_renewed() -> None:
    """New limits hold at once, and what was sent before counts."""
    house = rates(account_messages_per_minute=10, source_messages_per_minute=50)
    assert passed(lambda: house.message(JANE, HERE, 0)) == 10
    house.renew(rates(account_messages_per_minute=60).settings, SharedNetworks())
    assert passed(lambda: house.message(JANE, HERE, 5)) == 5
    house.renew(FREE, SharedNetworks())
    assert passed(lambda: house.message(JANE, HERE, 5)) == 1_000


def test_a_clock_that_is_put_back() -> None:
    """Keeps nobody out for longer than the limit's own time."""
    house = rates(account_messages_per_minute=2)
    assert passed(lambda: house.message(JANE, HERE, 100_000)) == 2
    refusal(lambda: house.message(JANE, HERE, 10))
    assert passed(lambda: house.message(JANE, HERE, 71)) == 2


def test_defaults_let_a_whole_message_through() -> None:
    """An account can send one message to as many recipients as a message may have."""
    house = Rates(RatesSettings(), name=lambda whose: "x")
    house.message(JANE, HERE, 0)
    assert passed(lambda: house.recipient(JANE, 0), 1_001) == 1_000
