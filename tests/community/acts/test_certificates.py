"""Client certificates that were issued, as the community records them."""

import msgspec
import pytest

from cjsm.community.acts import certificates
from cjsm.community.acts.connections import in_force
from cjsm.community.errors import BadValue, CommunityError, Conflict, Exists, NotAllowed, NotFound
from cjsm.community.identifiers import ConnectionId
from cjsm.community.memory import MemoryView
from cjsm.community.records import Connection, ConnectionKind, IssuedCertificate
from cjsm.community.view import Change
from tests.community.communities import FIRM_CONNECTION, NOW, by, identifier

from .support import VIEW

FIRST = IssuedCertificate(serial="1f", fingerprint="ab" * 32, not_before=NOW - 300, not_after=NOW + 1_000)
SECOND = IssuedCertificate(serial="2f", fingerprint="cd" * 32, not_before=NOW - 300, not_after=NOW + 2_000)
THIRD = IssuedCertificate(serial="3f", fingerprint="ef" * 32, not_before=NOW - 300, not_after=NOW + 3_000)
FIRM = FIRM_CONNECTION.id


def firm(view: MemoryView) -> Connection:
    """The firm's connection as it is now."""
    found = view.connection(FIRM)
    assert found is not None
    return found


def issue(view: MemoryView, certificate: IssuedCertificate, *, follows: bool = False) -> MemoryView:
    """The community after a certificate."""
    return view.apply(certificates.issued(view, by(), FIRM, certificate, follows=follows))


def test_issued_followed_revoked() -> None:
    """One, then the one that follows it; both are in force until one is revoked."""
    view = issue(issue(VIEW, FIRST), SECOND, follows=True)
    assert [in_force(each, NOW) for each in firm(view).issued] == [True, True]
    change = certificates.revoked(view, by(), FIRM, "1F")
    assert change.entry is not None
    assert dict(change.entry.details)["fingerprint"] == FIRST.fingerprint
    view = view.apply(change)
    assert [each.revoked for each in firm(view).issued] == [NOW, None]
    assert [in_force(each, NOW) for each in firm(view).issued] == [False, True]
    assert firm(view).version == FIRM_CONNECTION.version + 3


def test_one_for_each_connection() -> None:
    """Not a second one beside it, not a third after it, none after none; nor one that is known."""
    with pytest.raises(Conflict, match="no certificate in force"):
        issue(VIEW, FIRST, follows=True)
    view = issue(VIEW, FIRST)
    with pytest.raises(Conflict) as refused:
        issue(view, SECOND)
    assert "renew" in refused.value.cure
    view = issue(view, SECOND, follows=True)
    with pytest.raises(Conflict, match="two certificates"):
        issue(view, THIRD, follows=True)
    other = msgspec.structs.replace(FIRM_CONNECTION, id=ConnectionId(identifier("other")), slug="other", issued=())
    view = view.apply(Change(put=(other,)))
    with pytest.raises(Exists):
        certificates.issued(view, by(), other.id, FIRST)


def test_records_of_long_ended_certificates_go() -> None:
    """They prove nothing, and nobody asks for them."""
    view = issue(VIEW, FIRST)
    later = view.apply(Change(), moment=FIRST.not_after + 366 * 86_400)
    fresh = msgspec.structs.replace(SECOND, not_after=later.moment + 10)
    assert [each.serial for each in firm(issue(later, fresh)).issued] == ["2f"]


def test_who_may() -> None:
    """Administrators of the community; and a cloud connection shows its provider's certificate."""
    with pytest.raises(NotAllowed):
        certificates.issued(VIEW, by("olive.marsh"), FIRM, FIRST)
    view = issue(VIEW, FIRST)
    with pytest.raises(NotAllowed):
        certificates.revoked(view, by("erin.wright"), FIRM, "1f")
    cloud = msgspec.structs.replace(FIRM_CONNECTION, kind=ConnectionKind.CLOUD)
    with pytest.raises(BadValue):
        certificates.issued(VIEW.apply(Change(put=(cloud,))), by(), FIRM, FIRST)


def test_revoking() -> None:
    """Needs a reason and one that is there, and happens once. It may be the last."""
    view = issue(VIEW, FIRST)
    with pytest.raises(BadValue):
        certificates.revoked(view, by(reason=""), FIRM, "1f")
    with pytest.raises(NotFound):
        certificates.revoked(view, by(), FIRM, "2f")
    view = view.apply(certificates.revoked(view, by(), FIRM, "00:1f"))
    with pytest.raises(Conflict):
        certificates.revoked(view, by(), FIRM, "1f")
    with pytest.raises(NotFound):
        certificates.revoked(view, by(), ConnectionId(identifier("none")), "1f")


@pytest.mark.parametrize(
    "change",
    [
        {"fingerprint": "ab"},
        {"fingerprint": "AB" * 32},
        {"serial": ""},
        {"serial": "0f"},
        {"serial": "xyz"},
        {"serial": "1" * 41},
        {"not_after": NOW},
        {"not_before": NOW + 5_000},
        {"revoked": NOW},
    ],
    ids=str,
)
def test_what_is_no_certificate(change: dict[str, object]) -> None:
    """Is not recorded."""
    with pytest.raises(BadValue):
        issue(VIEW, msgspec.structs.replace(FIRST, **change))


def test_names() -> None:
    """An organisation gets its own hosts into a certificate, and nobody else's: neither ours nor another's."""
    taken = ("mail.firm.co.uk", "OTHER.firm.co.uk", "firm.co.uk")
    assert certificates.check_names(VIEW, FIRM_CONNECTION, taken) == tuple(name.lower() for name in taken)
    assert certificates.check_names(VIEW, FIRM_CONNECTION, ()) == ()
    for name in ("mail.cjsm.test", "evil-firm.co.uk", "co.uk", "mail.avon.example", "*.firm.co.uk", "192.0.2.1"):
        with pytest.raises(CommunityError):
            certificates.check_names(VIEW, FIRM_CONNECTION, (name,))
