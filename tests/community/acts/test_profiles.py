"""What the directory lists of people: changed, and taken out."""

import pytest

from cjsm.community.acts import lives, profiles
from cjsm.community.acts.lives import LifeStep
from cjsm.community.errors import BadValue, Conflict, NotAllowed, NotFound
from cjsm.community.identifiers import AccountId, OrganisationId
from cjsm.community.records import Account, LedgerEntry
from cjsm.community.view import Change
from tests.community.communities import by, identifier

from .support import JO, VIEW, account

OLIVE = AccountId(identifier("olive.marsh"))
AVON = OrganisationId(identifier("avon"))


def entry_of(change: Change) -> LedgerEntry:
    assert change.entry is not None
    return change.entry


def test_changed() -> None:
    """The ledger has which fields, never what stands in them; sessions notice; addresses stay."""
    change = profiles.change(VIEW, by("olive.marsh"), OLIVE, {"telephone": " 0117 1 ", "town": "Bath"})
    made = account(VIEW.apply(change), "olive.marsh")
    assert (made.profile.telephone, made.profile.town) == ("0117 1", "Bath")
    assert made.profile_since == VIEW.moment
    assert made.version == account(VIEW, "olive.marsh").version + 1
    entry = entry_of(change)
    assert (entry.act, entry.subject, dict(entry.details)) == ("user-edit", OLIVE, {"fields": "town telephone"})
    assert "Bath" not in str(entry)
    assert [type(record) for record in change.put] == [Account]


def test_the_same_again() -> None:
    """Nothing happens."""
    after = VIEW.apply(profiles.change(VIEW, by("olive.marsh"), OLIVE, {"town": "Bath"}))
    assert profiles.change(after, by("olive.marsh"), OLIVE, {"town": "Bath "}) == Change()


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("first_name", " ", "empty"),
        ("town", "x" * 201, "201 characters, 200 at most"),
        ("description", "x" * 10_000, "10,000 characters, 1,000 at most"),
        ("description", "one\ntwo", r"U\+000A"),
        ("last_name", "Smith\u202egpj", r"U\+202E"),
        ("telephone", "1\0", r"U\+0000"),
    ],
)
def test_values_that_are_not_taken(field: str, value: str, problem: str) -> None:
    """Too long, or with what nobody sees."""
    with pytest.raises(BadValue, match=problem):
        profiles.change(VIEW, by("olive.marsh"), OLIVE, {field: value})


def test_letters_of_everybody() -> None:
    """Names are written as people write them."""
    for name in ("Siân", "O'Neil-Smith, QC", '"Bob"', "כהן", "张", "Зоя"):
        change = profiles.change(VIEW, by("olive.marsh"), OLIVE, {"last_name": name})
        assert account(VIEW.apply(change), "olive.marsh").profile.last_name == name


def test_whose() -> None:
    """Administrators of the place; nobody else's people, and nobody who could take them over."""
    with pytest.raises(NotAllowed):
        profiles.change(VIEW, by("olive.marsh"), AccountId(identifier("law.yer")), {"town": "Bath"})
    for other in ("henry.desk", "jo.ward"):
        with pytest.raises(NotAllowed):
            profiles.change(VIEW, by(other), OLIVE, {"town": "Bath"})
    with pytest.raises(NotFound):
        profiles.change(VIEW, by(), AccountId(identifier("nobody")), {"town": "Bath"})


def test_deleted() -> None:
    """Nobody edits who is on the way out."""
    after = VIEW.apply(lives.change_life(VIEW, by(reason="left"), JO, LifeStep.DELETE))
    with pytest.raises(Conflict):
        profiles.change(after, by(), JO, {"town": "Bath"})


def test_together() -> None:
    """One change, an entry for each act; an act that changes nothing has none."""
    changes = [
        profiles.change(VIEW, by(), OLIVE, {"town": "Bath"}),
        Change(),
        profiles.change(VIEW, by(), JO, {"town": "Bath"}),
    ]
    together = profiles.together(changes)
    assert together.put == (*changes[0].put, *changes[2].put)
    assert (together.entry, together.further) == (changes[0].entry, (changes[2].entry,))
    assert profiles.together([]) == Change()


def test_taken_out() -> None:
    """An export is in the ledger with its place, for whoever looks after people there."""
    entry = entry_of(profiles.take_out(VIEW, by("olive.marsh"), AVON, "csv"))
    assert (entry.act, entry.subject_kind, entry.subject) == ("directory-export", "organisation", AVON)
    assert entry_of(profiles.take_out(VIEW, by("olive.marsh"), None, "csv")).subject == AVON
    whole = entry_of(profiles.take_out(VIEW, by("henry.desk"), None, "ldif"))
    assert (whole.subject_kind, whole.subject, dict(whole.details)) == ("community", b"", {"form": "ldif"})
    assert entry_of(profiles.take_out(VIEW, by(), None, "csv")).subject_kind == "community"
    with pytest.raises(NotAllowed):
        profiles.take_out(VIEW, by("jo.ward"), None, "csv")
    with pytest.raises(NotAllowed):
        profiles.take_out(VIEW, by("olive.marsh"), OrganisationId(identifier("firm")), "csv")
