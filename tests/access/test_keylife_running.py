"""Resets and shared mailboxes on the wire: a running community, its command beside it, mail in and out."""

import json
import poplib
import time
from typing import Any

import pytest

from tests.running import Community, content, without_trace

PASSWORD = "violet tractor lamp nineteen"
LETTER = b"From: {0}\r\nTo: {1}\r\nSubject: {2}\r\nDate: Sun, 29 Nov 2026 12:00:00 +0000\r\n\r\n{2}\r\n"


def told(community: Community, *arguments: str, typed: str = "") -> Any:
    done = community.command(*arguments, "--json", typed=typed)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def person(community: Community, last: str) -> dict[str, Any]:
    """Somebody new in the organisation of the first hosted person, with a password."""
    where = community.hosted()[0]["organisation"]
    added = told(community, "user", "add", where, "--first", "Key", "--last", last)
    choose(community, added["user_id"], added["one_time_password"])
    return {"user_id": added["user_id"], "address": added["address"], "password": PASSWORD}


def choose(community: Community, user_id: str, one_time: str, chosen: str = PASSWORD) -> None:
    told(community, "user", "set-password", user_id, "--password-stdin", typed=f"{one_time}\n{chosen}\n")


def send(community: Community, sender: dict[str, Any], address: str, subject: str) -> None:
    letter = LETTER
    for place, text in (("{0}", sender["address"]), ("{1}", address), ("{2}", subject)):
        letter = letter.replace(place.encode(), text.encode())
    community.send(sender, {"address": address}, letter)


def subjects(community: Community, who: dict[str, Any], at_least: int, shared: str = "") -> list[bytes]:
    """The last lines of what is in a mailbox, as soon as there are so many messages."""
    asked = {**who, "user_id": who["user_id"] + (f"/{shared}" if shared else "")}
    return sorted(without_trace(each).rsplit(b"\r\n", 2)[1] for each in community.messages(asked, at_least).values())


def wait_until_closed(session: poplib.POP3_SSL) -> None:
    ends = time.monotonic() + 30
    try:
        while time.monotonic() < ends:
            session.noop()
            time.sleep(0.02)
    except (poplib.error_proto, OSError):
        return
    finally:
        session.close()
    raise AssertionError("the session goes on")


def test_reset(community: Community) -> None:
    """Mail between the reset and the new password is read; the session that was open ends; old mail is closed."""
    jo = person(community, "Reset")
    send(community, jo, jo["address"], "before")
    assert subjects(community, jo, 1) == [b"before"]
    session = community.pop3(jo)
    one_time = told(community, "user", "reset-password", jo["user_id"], "--reason", "forgotten")["one_time_password"]
    wait_until_closed(session)
    with pytest.raises(poplib.error_proto):
        community.pop3(jo)
    sender = community.hosted()[0]
    send(community, sender, jo["address"], "between")
    jo["password"] = f"{PASSWORD} again"
    choose(community, jo["user_id"], one_time, jo["password"])
    send(community, jo, jo["address"], "after")
    assert subjects(community, jo, 2) == [b"after", b"between"]


def test_shared(community: Community) -> None:
    """A message to a shared mailbox is read by its members as user/short-name, each by what they were members for."""
    jo, al = person(community, "Sharer"), person(community, "Joiner")
    where = community.hosted()[0]["organisation"]
    address = told(community, "shared", "add", where, "front", "--name", "Front", "--member", jo["user_id"])["address"]
    send(community, jo, address, "one")
    assert subjects(community, jo, 1, "front") == [b"one"]
    with pytest.raises(poplib.error_proto):
        community.pop3({**al, "user_id": f"{al['user_id']}/front"})
    told(community, "shared", "join", address, al["user_id"])
    send(community, al, address, "two")
    assert subjects(community, al, 1, "front") == [b"two"]
    assert subjects(community, jo, 2, "front") == [b"one", b"two"]
    told(community, "shared", "open", address, jo["user_id"], "--password-stdin", typed=f"{PASSWORD}\n")
    assert subjects(community, al, 2, "front") == [b"one", b"two"]
    community.empty({**al, "user_id": f"{al['user_id']}/front"})
    assert subjects(community, jo, 2, "front") == [b"one", b"two"]
    session = community.pop3({**jo, "user_id": f"{jo['user_id']}/front"})
    assert b"one" in content(session, 1)
    session.quit()
    told(community, "shared", "leave", address, al["user_id"])
    with pytest.raises(poplib.error_proto):
        community.pop3({**al, "user_id": f"{al['user_id']}/front"})
