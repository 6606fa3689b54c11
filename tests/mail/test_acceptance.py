"""The one way a message comes in: what is refused, when, and with which words; where its body goes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.community.admission import AccountOrigin, ConnectionOrigin, Service, ServiceOrigin
from cjsm.community.identifiers import AccountId, ConnectionId
from cjsm.community.records import Life, MailList, OwnerKind
from cjsm.mail.traced import open_event
from cjsm.vault.errors import NotAuthentic
from cjsm.vault.traces import TraceSealer
from tests.community.communities import CRIME_LIST, FIRM_CONNECTION, SUFFIX, address, community, hosted, identifier

from .support import (
    DATED,
    DESK_ADDRESS,
    HOP,
    JO,
    JO_ADDRESS,
    JO_MAILBOX,
    LETTER,
    LIST_ADDRESS,
    OLIVE,
    OLIVE_ADDRESS,
    SAM,
    SAM_ADDRESS,
    SECRETS,
    House,
    envelope,
    logged,
    missing,
    refusal,
    result,
    small,
    spooled,
)

#: What only others may say of a message.
CLAIMS = f"Authentication-Results: {HOP.host}; dmarc=pass\r\nx-clouds-tenant: tenant-court\r\n".encode()
LARGE = DATED + LETTER + b"0123456789abcdef" * 20_000


# Senders


@pytest.mark.parametrize("path", [JO_ADDRESS, JO_ADDRESS.upper(), DESK_ADDRESS])
def test_mail_is_sent_under_an_address_of_ones_own(path: str) -> None:
    """Canonical from here on."""
    house = House()
    message = house.begun(SAM_ADDRESS, reverse_path=path)
    message.write(LETTER)
    result(message.commit())
    assert envelope(house.entry()).reverse_path == path.lower()


@pytest.mark.parametrize("path", ["", SAM_ADDRESS, "jo@evil.example", "jo.ward@avon", "jo ward", f"<{JO_ADDRESS}>"])
def test_other_reverse_paths_are_refused(path: str) -> None:
    """The null sender too: an account answers for its mail."""
    code, status = refusal(House().acceptance.begin(JO, path, HOP, None))
    assert (code, status) in ((550, "5.7.1"), (553, "5.1.3"))


def test_an_account_that_may_not_send_begins_nothing() -> None:
    """Its state is asked anew for every message."""
    house = House()
    resting, _ = hosted("jo.ward", "crime", "avon", life=Life.SUSPENDED)
    house.community.view = community(resting)
    assert refusal(house.acceptance.begin(JO, JO_ADDRESS, HOP, None)) == (550, "5.7.1")
    nobody = AccountOrigin(account=AccountId(identifier("nobody")))
    assert refusal(house.acceptance.begin(nobody, JO_ADDRESS, HOP, None)) == (550, "5.7.1")


def test_connections_and_the_service_come_the_same_way() -> None:
    """A connection writes its own domain without suffix; the service may be the null sender."""
    house = House()
    firm = ConnectionOrigin(connection=ConnectionId(FIRM_CONNECTION.id))
    message = result(house.acceptance.begin(firm, "re.layed@firm.co.uk", HOP, None))
    result(message.recipient(SAM_ADDRESS))
    message.write(b"From: re.layed@firm.co.uk\r\n\r\n")
    result(message.commit())
    assert envelope(house.entry()).reverse_path == f"re.layed@firm.co.uk.{SUFFIX}"
    house = House()
    notice = result(house.acceptance.begin(ServiceOrigin(service=Service.NOTICE), "", HOP, None))
    result(notice.recipient(SAM_ADDRESS))
    notice.write(f"From: postmaster@{SUFFIX}\r\n\r\n".encode())
    result(notice.commit())
    assert spooled(house)[0].startswith(b"Return-Path: <>\r\n")


@pytest.mark.parametrize(("size", "fits"), [(None, True), (0, True), (400_000, True), (400_001, False)])
def test_a_message_announced_too_large_is_refused_at_once(size: int | None, fits: bool) -> None:
    """RFC 1870 §6.1."""
    answer = House().acceptance.begin(JO, JO_ADDRESS, HOP, size)
    if fits:
        result(answer)
    else:
        assert refusal(answer) == (552, "5.3.4")


# Recipients


def test_recipients_are_counted_and_delivered_once() -> None:
    """However often one is named, and by whichever address."""
    house = House(view=community(address(f"sam@avon.{SUFFIX}", identifier("sam.hill"), alias=True)))
    message = house.begun(SAM_ADDRESS, SAM_ADDRESS.upper(), f"sam@avon.{SUFFIX}", OLIVE_ADDRESS)
    assert message.recipients == 4
    message.write(LETTER)
    result(message.commit())
    assert [each.mailbox for each in house.entry().deliveries] == [SAM, OLIVE]


def test_a_refused_recipient_costs_the_others_nothing() -> None:
    """It is not counted either."""
    house = House()
    message = house.begun(SAM_ADDRESS)
    for path in ("x@evil.example", f"nobody@avon.{SUFFIX}", ""):
        refusal(message.recipient(path))
    assert message.recipients == 1
    message.write(LETTER)
    result(message.commit())
    assert [each.mailbox for each in house.entry().deliveries] == [SAM]


def traced(house: House) -> list[tuple[str, str, int, str]]:
    """What the helpdesk sees: result, recipient, code, and whether it is found by the Message-ID."""
    events = [(open_event(TraceSealer(SECRETS.cache), each), each.message) for each in house.traced.records]
    return [(each.result, each.recipient, each.code, "named" if tag else "") for each, tag in events]


def test_who_was_refused_is_traced_with_the_message() -> None:
    """By its Message-ID, however few of its recipients were taken."""
    house = House()
    message = house.begun(SAM_ADDRESS)
    refusal(message.recipient("X@evil.example"))
    refusal(message.recipient(f"nobody@avon.{SUFFIX}"))
    message.write(LETTER)
    result(message.commit())
    assert traced(house) == [
        ("refused", "x@evil.example", 550, "named"),
        ("refused", f"nobody@avon.{SUFFIX}", 550, "named"),
        ("accepted", SAM_ADDRESS, 0, "named"),
    ]


@pytest.mark.parametrize(
    "octets", [LETTER.replace(b"jo.ward", b"sam.hill"), LETTER + b"x" * 400_000], ids=["From", "size"]
)
def test_a_refused_message_is_traced(octets: bytes) -> None:
    """With its Message-ID, as far as it was read."""
    house = House()
    message = house.begun(SAM_ADDRESS)
    octets = b"Message-ID: <1@client.example>\r\n" + octets
    for at in range(0, len(octets), 1_000):
        message.write(octets[at : at + 1_000])
    code, _ = refusal(message.commit())
    assert traced(house) == [("refused", "", code, "named")]


def test_as_many_recipients_as_settings_say() -> None:
    """The next is for another message."""
    house = House(small(recipients=2))
    message = house.begun(SAM_ADDRESS, OLIVE_ADDRESS)
    assert refusal(message.recipient(DESK_ADDRESS)) == (452, "4.5.3")
    assert message.recipients == 2


def test_a_list_reaches_its_members_once_and_counts_as_one() -> None:
    """Whoever is named beside it gets it once too; a full member does not close it."""
    mail_list = MailList(
        id=CRIME_LIST.id,
        organisation=CRIME_LIST.organisation,
        slug="all",
        name="All",
        members=(JO_ADDRESS, SAM_ADDRESS, OLIVE_ADDRESS),
    )
    full, _ = hosted("sam.hill", "avon", "avon", quota=1)
    house = House(
        small(recipients=2),
        view=community(mail_list, full, address(LIST_ADDRESS, mail_list.id, OwnerKind.LIST)),
    )
    message = result(house.acceptance.begin(JO, JO_ADDRESS, HOP, 5_000))
    result(message.recipient(OLIVE_ADDRESS))
    assert refusal(message.recipient(SAM_ADDRESS)) == (452, "4.2.2")
    result(message.recipient(LIST_ADDRESS))
    assert message.recipients == 2
    message.write(LETTER)
    result(message.commit())
    assert sorted(each.mailbox for each in house.entry().deliveries) == sorted([JO_MAILBOX, SAM, OLIVE])


def test_a_full_mailbox_takes_no_more() -> None:
    """The announced size counts, and what waits in the spool."""
    house = House(small(quota=2_000))
    message = result(house.acceptance.begin(JO, JO_ADDRESS, HOP, 2_001))
    assert refusal(message.recipient(SAM_ADDRESS)) == (452, "4.2.2")
    house.send(LETTER + b"x" * 2_000)
    assert house.spool.waiting(SAM) > 2_000
    assert refusal(house.begun().recipient(SAM_ADDRESS)) == (452, "4.2.2")
    result(house.begun().recipient(OLIVE_ADDRESS))
    house.clock.advance(86_400)
    assert refusal(house.begun().recipient(SAM_ADDRESS)) == (552, "5.2.2")


def test_a_mailbox_that_nothing_can_be_sealed_to() -> None:
    """It is refused for now, logged, and the others stay."""
    for error in (missing(), NotAuthentic("forged")):
        house = House()
        house.keys.lost[SAM] = error
        message = house.begun(OLIVE_ADDRESS)
        with logged() as texts:
            assert refusal(message.recipient(SAM_ADDRESS)) == (450, "4.2.1")
        assert any("no key for" in text for text in texts)
        message.write(LETTER)
        result(message.commit())
        assert [each.mailbox for each in house.entry().deliveries] == [OLIVE]


def test_without_recipients_there_is_nothing_to_commit() -> None:
    """Refused, and nothing stays."""
    house = House()
    message = house.begun()
    message.write(LARGE)
    assert refusal(message.commit()) == (554, "5.5.1")
    assert house.empty


# Content


@given(st.lists(st.integers(0, 700), max_size=10))
def test_a_message_is_the_same_however_it_arrives(cuts: list[int]) -> None:
    """Trace, return path and all, to the octet."""
    octets = b"Bcc: olive@x.y,\r\n z@x.y\r\nReturn-Path: <x@y.z>\r\n" + DATED + LETTER + b".\r\n\r\n" + b"y" * 400
    house = House()
    message = house.begun(SAM_ADDRESS)
    edges = [0, *sorted(set(cuts)), len(octets)]
    for place in range(len(edges) - 1):
        message.write(octets[edges[place] : edges[place + 1]])
    queue_id = result(message.commit())
    text, _ = spooled(house)
    received = (
        f"Return-Path: <{JO_ADDRESS}>\r\nReceived: by mail.cjsm.test with ESMTPSA (TLS1.3 X25519MLKEM768)\r\n"
        f"\tid {queue_id};\r\n\tMon, 12 Jan 1970 13:46:40 +0000\r\n"
    )
    assert text == received.encode() + DATED + LETTER + b".\r\n\r\n" + b"y" * 400


@pytest.mark.parametrize("octets", [DATED + LETTER.partition(b"\r\n\r\n")[0] + b"\r\n", DATED + LETTER[:48] + b"\r\n"])
def test_a_message_that_is_header_only(octets: bytes) -> None:
    """The blank line is put there."""
    house = House()
    octets = f"From: {JO_ADDRESS}\r\n".encode() + DATED
    house.send(octets)
    assert spooled(house)[0].endswith(octets + b"\r\n")


@pytest.mark.parametrize(
    ("octets", "reply"),
    [
        (b"", (550, "5.7.1")),
        (b"\r\n" + LETTER, (550, "5.7.1")),
        (b"no header at all\r\n", (550, "5.6.0")),
        (LETTER.replace(b"jo.ward", b"sam.hill"), (550, "5.7.1")),
        (b"Sender: sam.hill@avon.cjsm.test\r\n" + LETTER, (550, "5.7.1")),
        (b"Reply-To: x@evil.example\r\n" + LETTER, (550, "5.7.1")),
        (b"From: x@evil.example\r\n" + LETTER, (550, "5.7.1")),
        (f"Reply-To: {SAM_ADDRESS},{OLIVE_ADDRESS},{DESK_ADDRESS},{JO_ADDRESS}\r\n".encode() + LETTER, (550, "5.7.1")),
        (b"Received: x\r\n" * 51 + LETTER, (554, "5.4.6")),
        (b"X: y\r\n" * 58 + LETTER, (552, "5.3.4")),
        (b"X: " + b"y" * 5_000 + b"\r\n" + LETTER, (552, "5.3.4")),
        (LETTER + b"x" * 400_000, (552, "5.3.4")),
        (LETTER.replace(b"\r\n\r\n", b"\r\n") + b"x" * 400_000, (552, "5.3.4")),
    ],
    ids=range(13),
)
@pytest.mark.parametrize("piece", [1_000_000, 1_000])
def test_a_message_once_refused_is_refused_until_the_end(octets: bytes, reply: tuple[int, str], piece: int) -> None:
    """Writing never fails; commit gives the first verdict; nothing is held meanwhile and nothing stays."""
    house = House(small(header_fields=60))
    message = house.begun(SAM_ADDRESS)
    for at in range(0, len(octets), piece):
        message.write(octets[at : at + piece])
    if message._refusal is not None:
        for _ in range(50):
            assert message.write(b"\r\n\r\n" + LETTER + b"x" * 10_000) is None
            assert message._begun is None or message._begun.content._gathered == []
        assert message.write(b"x" * 400_000) is None
        assert len(message._reading._octets) == 0
    assert refusal(message.commit()) == reply
    assert house.empty
    assert "put" not in house.forecast.calls


def test_the_size_limit_is_to_the_octet() -> None:
    """Of what the client sent; what is added does not count."""
    house = House()
    octets = LETTER + b"x" * (400_000 - len(LETTER))
    house.send(octets)
    assert refusal_of(house, octets + b"x") == (552, "5.3.4")


def refusal_of(house: House, octets: bytes) -> tuple[int, str]:
    message = house.begun(SAM_ADDRESS)
    for at in range(0, len(octets), 30_000):
        message.write(octets[at : at + 30_000])
    return refusal(message.commit())


def test_settings_that_change_meanwhile_are_for_the_next_message() -> None:
    """Each keeps those it began with."""
    house = House()
    message = house.begun(SAM_ADDRESS)
    house.acceptance.settings = small(message_octets=10)
    message.write(LETTER)
    result(message.commit())
    assert refusal_of(house, LETTER) == (552, "5.3.4")


def test_what_only_others_may_say_is_taken_away() -> None:
    """Neither what was found about a message, nor of which tenant it is, is for its author to say."""
    house = House()
    house.send(CLAIMS + b"Authentication-Results: mx.other.example; spf=pass\r\n" + LETTER)
    text, _ = spooled(house)
    assert b"dmarc=pass" not in text
    assert b"tenant-court" not in text
    assert b"mx.other.example; spf=pass" in text


# Where the body goes


@pytest.mark.parametrize(("octets", "recipients", "inline"), [(60_000, 1, True), (90_000, 1, False)])
def test_small_bodies_are_in_the_entry_and_large_ones_in_a_file(octets: int, recipients: int, inline: bool) -> None:
    """Either reads the same; a file is synced before the entry names it."""
    house = House()
    house.send(LETTER + b"x" * octets)
    entry = house.entry()
    assert (entry.body is not None) == inline
    assert spooled(house)[0].endswith(b"At ten.\r\n" + b"x" * octets)
    assert len(house.platter.files) == (0 if inline else 1)
    if not inline:
        assert house.platter.files[entry.body_id].synced
        calls = house.forecast.calls
        assert calls.index("finish") < calls.index("put")
        assert len(house.platter.files[entry.body_id].octets) == entry.sealed_octets


def test_a_body_for_many_goes_to_a_file_sooner() -> None:
    """So that its copies do not take much more than it."""
    members = [hosted(f"p{number}.x", "avon", "avon") for number in range(8)]
    view = community(*(record for pair in members for record in pair))
    for count, inline in ((4, True), (8, False)):
        house = House(small(recipients=10), view=view)
        house.send(LETTER + b"x" * 60_000, *(f"p{number}.x@avon.{SUFFIX}" for number in range(count)))
        assert (house.entry().body is not None) == inline


def test_the_door_waits_for_the_disk() -> None:
    """Where a write returns a Deferred it fires when the disk is ready for more."""
    house = House()
    message = house.begun(SAM_ADDRESS)
    held = house.forecast.hold("create")
    waiting = message.write(LARGE)
    assert waiting is not None
    assert not waiting.called
    held.callback(None)
    assert waiting.called
    result(message.commit())
    assert spooled(house)[0].endswith(LARGE)
