"""A community in memory: immutable views, each made from the one before."""

from cjsm.community.identifiers import JobId
from cjsm.community.memory import MemoryView
from cjsm.community.records import Job
from cjsm.community.view import Change
from tests.community.communities import FIRM_CONNECTION, FIRM_DOMAIN, NOW, SUFFIX, community, identifier, organisation

JOB = Job(id=JobId(identifier("job")), kind="orphans", due=5)


def test_apply() -> None:
    """The next view has the change; the one before stays as it was."""
    before = community()
    after = before.apply(Change(put=(organisation("new"), JOB), removed=(FIRM_DOMAIN,)), moment=NOW + 5)
    assert (after.number, after.moment, after.suffix) == (before.number + 1, NOW + 5, SUFFIX)
    assert after.organisation_below(None, "new") is not None
    assert before.organisation_below(None, "new") is None
    assert after.domain(FIRM_DOMAIN.name) is None
    assert before.domain(FIRM_DOMAIN.name) == FIRM_DOMAIN
    assert (after.job(JOB.id), list(after.jobs())) == (JOB, [JOB])
    assert after.apply(Change(removed=(organisation("not-there"),))).moment == NOW + 5


def test_in_order() -> None:
    """People and organisations come by identifier, all of them or those after one, as they do from a store."""
    view = community()
    people = [found.id for found in view.accounts()]
    assert people == sorted(people)
    assert [found.id for found in view.accounts(people[1])] == people[2:]
    places = [found.id for found in view.organisations()]
    assert places == sorted(places)
    assert [found.id for found in view.organisations(places[1])] == places[2:]


def test_lookups() -> None:
    """By identifier, by name, by owner."""
    view = community()
    crime = view.organisation_below(view.organisation_of_abbreviation("avon").id, "crime")  # type: ignore[union-attr]
    assert crime is not None
    assert [account.user_id for account in view.accounts_in(crime.id)] == ["jo.ward@avon"]
    jo = view.account_of_user_id("JO.ward@AVON")
    assert jo is not None
    assert jo.mailbox is not None
    assert view.account_of_mailbox(jo.mailbox) == jo
    assert [record.address for record in view.addresses_of(jo.id)] == [f"jo.ward@avon.{SUFFIX}"]
    assert list(view.domains_of(FIRM_CONNECTION.id)) == [FIRM_DOMAIN]
    assert list(view.domains()) == [FIRM_DOMAIN]
    assert view.connection_of_slug("firm") == FIRM_CONNECTION
    assert view.connection_of_slug("") is None
    assert list(view.connections()) == [FIRM_CONNECTION]
    assert len(list(view.lists_in(crime.id))) == 1
    assert len(list(view.shared_mailboxes_in(crime.parent))) == 1  # type: ignore[arg-type]
    assert MemoryView().account(jo.id) is None
