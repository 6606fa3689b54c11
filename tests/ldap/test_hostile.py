"""Changed requests against a whole door: an answer or the end, never a failure of ours, never a neighbour's loss."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.logger import LogEvent, LogLevel, globalLogPublisher

from tests.ldap import support
from tests.ldap.house import GOLDEN, House, golden

_SAMPLES = sorted(path.stem for path in GOLDEN.glob("*.hex"))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_changed_requests(data: st.DataObject) -> None:
    """Recorded requests with other octets in some places: lengths, tags, nesting, text."""
    octets = bytearray(golden(data.draw(st.sampled_from(_SAMPLES))))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(octets) - 1))
        size = data.draw(st.integers(0, 3))
        octets[at : at + size] = data.draw(st.binary(max_size=3))
        octets = octets or bytearray(1)
    assert _survives(bytes(octets))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), st.integers(0x40, 0x7F))
def test_any_operation(content: bytes, tag: int) -> None:
    """Any contents under any application tag."""
    assert _survives(support.request(2, support.element(tag & 0xFE or 0x42, content)))


def _survives(octets: bytes) -> bool:
    failures: list[LogEvent] = []

    def watch(event: LogEvent) -> None:
        if event["log_level"] is LogLevel.critical:
            failures.append(event)

    globalLogPublisher.addObserver(watch)
    try:
        connection, neighbour = _HOUSE.connect("jane.smith@avon"), _HOUSE.connect("bob.muller@avon")
        connection.ask(octets)
        served = neighbour.ask(golden("outlook-search"))[-1].code == 0
        for one in (connection, neighbour):
            one.lose()
    finally:
        globalLogPublisher.removeObserver(watch)
    return served and not failures and _HOUSE.limits.connected == 0


_HOUSE = House()
