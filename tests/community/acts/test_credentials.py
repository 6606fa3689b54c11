"""Passwords that people choose and device passwords."""

import pytest

from cjsm.community.acts import credentials
from cjsm.community.acts.credentials import KeyStep
from cjsm.community.errors import BadValue, Conflict, Exists, NotAllowed, NotFound, Overtaken
from cjsm.community.records import (
    Credential,
    Life,
)
from tests.community.communities import (
    by,
    community,
    hosted,
)

from .support import JO, VIEW, account, device


def test_choosing_a_password() -> None:
    """Makes a new user active; only the person does it; sessions notice."""
    view = community(*hosted("jo.ward", "crime", "avon", life=Life.NEW, credential=Credential.ONE_TIME))
    after = view.apply(credentials.choose_password(view, by("jo.ward"), JO, KeyStep(1, 2)))
    found = account(after, "jo.ward")
    assert (found.life, found.credential, found.keys, found.password_version) == (Life.ACTIVE, Credential.CHOSEN, 2, 1)
    assert found.version > account(view, "jo.ward").version
    with pytest.raises(NotAllowed):
        credentials.choose_password(view, by("olive.marsh"), JO, KeyStep(1, 2))


def test_device_passwords() -> None:
    """Have a name each, for some doors, twenty at most; an administrator may take one away but not make one."""
    after = VIEW.apply(credentials.add_device_password(VIEW, by("jo.ward"), JO, device(), KeyStep(1, 2)))
    assert account(after, "jo.ward").device_passwords == (device(),)
    with pytest.raises(Exists):
        credentials.add_device_password(after, by("jo.ward"), JO, device(), KeyStep(2, 3))
    with pytest.raises(BadValue):
        credentials.add_device_password(VIEW, by("jo.ward"), JO, device("x", "imap"), KeyStep(1, 2))
    with pytest.raises(NotAllowed):
        credentials.add_device_password(VIEW, by("olive.marsh"), JO, device(), KeyStep(1, 2))
    gone = after.apply(credentials.revoke_device_password(after, by("olive.marsh"), JO, device().id, KeyStep(2, 3)))
    assert account(gone, "jo.ward").device_passwords == ()
    with pytest.raises(NotFound):
        credentials.revoke_device_password(gone, by("jo.ward"), JO, device().id, KeyStep(3, 4))
    with pytest.raises(NotAllowed):
        credentials.revoke_device_password(after, by("sam.hill"), JO, device().id, KeyStep(2, 3))
    full = VIEW
    for number in range(1, 21):
        full = full.apply(
            credentials.add_device_password(full, by("jo.ward"), JO, device(f"d{number}"), KeyStep(number, number + 1))
        )
    with pytest.raises(Conflict):
        credentials.add_device_password(full, by("jo.ward"), JO, device("one more"), KeyStep(21, 22))


def test_nothing_is_made_from_what_is_no_longer_there() -> None:
    """Keys made from another version than the one in use would lose what changed in between."""
    after = VIEW.apply(credentials.add_device_password(VIEW, by("jo.ward"), JO, device(), KeyStep(1, 2)))
    with pytest.raises(Overtaken):
        credentials.add_device_password(after, by("jo.ward"), JO, device("other"), KeyStep(1, 3))
    with pytest.raises(Overtaken):
        credentials.revoke_device_password(after, by("jo.ward"), JO, device().id, KeyStep(1, 3))
    with pytest.raises(Overtaken):
        credentials.choose_password(after, by("jo.ward"), JO, KeyStep(1, 3))
