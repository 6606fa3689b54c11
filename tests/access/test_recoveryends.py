"""The end of what recovery gave or handed over, where something comes between."""

from collections.abc import Callable

import pytest
from twisted.internet.defer import Deferred

from cjsm.community.identifiers import ActId
from cjsm.community.records import RequestState
from cjsm.community.view import Change, View

from .support import House, now
from .test_recovering import DAY, UNA, Place


@pytest.fixture
def place(house: House) -> Place:
    return Place(house)


def crash(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is to be destroyed from here on is not: the process ends before."""

    def ended(owner: bytes) -> None:
        raise SystemError("the end of the process")

    monkeypatch.setattr(place.house.keys, "destroy", ended)


def test_crash_after_a_refusal(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the counter-signer handed over goes all the same, at the next run: one officer alone could open it."""
    place.deliver(b"before\r\n")
    place.reset()
    request = place.request()
    place.approve(request, place.una, UNA)
    crash(place, monkeypatch)
    with pytest.raises(SystemError):
        now(place.recovering.refuse(place.house.enrolment.by(place.olive.id), request.id))
    monkeypatch.undo()
    assert (place.state(request).state, place.house.keys.latest(request.id)) == (RequestState.REFUSED, 1)
    assert place.ends() == "0 ended, 0 lapsed"
    assert place.house.keys.latest(request.id) == 0


def test_what_waits_is_left(place: Place) -> None:
    """What was handed over for a request that waits for the second approval stays until then."""
    place.deliver(b"before\r\n")
    place.reset()
    request = place.request()
    place.approve(request, place.una, UNA)
    assert place.ends() == "0 ended, 0 lapsed"
    assert place.house.keys.latest(request.id) == 1


def test_lapsed_meanwhile(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process lets one of two lapse at this moment: the other lapses all the same."""
    al = place.house.join("al.other")
    place.deliver(b"before\r\n")
    place.reset()
    requests = [place.request(), place.request(beneficiary=al.id, days=3)]
    for request in requests:
        place.approve(request, place.una, UNA)
    place.house.moment += 14 * DAY
    commit, commits = place.house.community.commit, []

    def overtaken(act_id: ActId, decide: Callable[[View], Change]) -> "Deferred[Change]":
        commits.append(act_id)
        if len(commits) == 1:
            now(commit(ActId(bytes(16)), decide))
        return commit(act_id, decide)

    monkeypatch.setattr(place.house.community, "commit", overtaken)
    place.ends()
    assert len(commits) == 2
    for request in requests:
        assert (place.state(request).state, place.house.keys.latest(request.id)) == (RequestState.REFUSED, 0)
