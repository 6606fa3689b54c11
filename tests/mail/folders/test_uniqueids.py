"""Lists of unique-ids, as Dovecot and Courier write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.mail.folders import uidlformat, uniqueids
from cjsm.mail.folders.errors import FolderError
from cjsm.mail.folders.uniqueids import Listed

USUAL = uidlformat.parse("%08Xu%08Xv")


def test_dovecot() -> None:
    """Version 3: the usual format, a format of its own, records that bring theirs, and an order."""
    lines = (
        "3 V1275660208 N25022 G3085f01b7f11094c501100008c4a11c1",
        "25006 :1276528487.M364837P9451.kurkku,S=1355,W=1394:2,",
        "25017 W2481 Pold-one O2 :1276533073.M242911P3632.kurkku:2,F",
        "25018 O1 :third",
        "garbage",
        "x :fourth",
        "25019 no colon",
    )
    listed = uniqueids.dovecot(lines)
    assert listed == {
        "1276528487.M364837P9451.kurkku,S=1355,W=1394": Listed("000061ae4c0907b0", (1, 25006)),
        "1276533073.M242911P3632.kurkku": Listed("old-one", (0, 2)),
        "third": Listed("000061ba4c0907b0", (0, 1)),
    }
    own = uniqueids.dovecot(["3 V7 N3 P%v.%u", "1 :a", "2 Gguid :b"])
    assert [each.unique_id for each in own.values()] == ["7.1", "7.2"]
    told = uniqueids.dovecot(["3 V7 N3 P%v.%u", "1 :a", "2 Gguid :b"], uidlformat.parse("%g"))
    assert [each.unique_id for each in told.values()] == ["a", "guid"]


def test_dovecot_of_old() -> None:
    """Version 1."""
    listed = uniqueids.dovecot(["1 1138183450 8", "3 1138.M1.host", "7 1139.M2.host:2,S", "", "nine x"])
    assert listed == {
        "1138.M1.host": Listed("0000000343d74d1a", (1, 3)),
        "1139.M2.host": Listed("0000000743d74d1a", (1, 7)),
    }


def test_courier_pop3() -> None:
    """Versions 3, 2 and 0; a message without UID is called by its file, escaped."""
    lines = [
        "/3 4 1138183450",
        "1138.M1.host:2,S 1250 1:1138183450:0",
        "with space 7 2:0:1",
        "1139+'x 12 0:0:0",
        "bad",
        "x y z",
    ]
    assert {name: each.unique_id for name, each in uniqueids.courier_pop3(lines).items()} == {
        "1138.M1.host": "UID1-1138183450",
        "with space": "UID2",
        "1139+'x": "1139+2B+27x",
    }
    assert uniqueids.courier_pop3(["/2 4 9", "a 1 3:9"])["a"].unique_id == "UID3-9"
    assert uniqueids.courier_pop3(["1138.M1.host 1250"])["1138.M1.host"].unique_id == "1138.M1.host"


def test_courier_imap() -> None:
    """UIDs of IMAP, as Courier's POP3 server would make unique-ids of them, or as is said."""
    lines = ["1 1138183450 9", "8 1138.M1.host", "x y"]
    assert uniqueids.courier_imap(lines)["1138.M1.host"].unique_id == "UID8-1138183450"
    assert uniqueids.courier_imap(lines, USUAL)["1138.M1.host"].unique_id == "0000000843d74d1a"


@pytest.mark.parametrize(
    ("read", "lines"),
    [
        (uniqueids.dovecot, []),
        (uniqueids.dovecot, ["2 V1 N1"]),
        (uniqueids.dovecot, ["3 N1"]),
        (uniqueids.dovecot, ["1 x 2"]),
        (uniqueids.courier_pop3, ["/9 1 1"]),
        (uniqueids.courier_imap, ["2 1 1"]),
    ],
)
def test_unknown_versions(read: object, lines: list[str]) -> None:
    """Are refused: to guess would be to give mail wrong unique-ids."""
    with pytest.raises(FolderError):
        read(lines)  # type: ignore[operator]


@given(
    st.sampled_from([uniqueids.dovecot, uniqueids.courier_pop3, uniqueids.courier_imap]), st.lists(st.text(max_size=60))
)
def test_anything(read: object, lines: list[str]) -> None:
    """Is read or refused."""
    for head in ("3 V7 N3", "1 7 3", "/3 1 1"):
        try:
            read([head, *lines])  # type: ignore[operator]
        except FolderError:
            continue


@given(st.lists(st.from_regex(r"[!-~]{1,70}", fullmatch=True), unique=True, max_size=8))
def test_written_and_read(unique_ids: list[str]) -> None:
    """A list that is written is read again, in its order."""
    entries = [(f"{number}.name,S=1:2,", unique_id) for number, unique_id in enumerate(unique_ids)]
    listed = uniqueids.dovecot(line.rstrip("\n") for line in uniqueids.written(entries, 1_138, "0" * 32))
    assert [each.unique_id for each in sorted(listed.values(), key=lambda each: each.place or (0, 0))] == unique_ids
    assert all(uniqueids.is_good(each) for each in unique_ids)


def test_good() -> None:
    """RFC 1939 §7."""
    for bad in ("", "a b", "é", "x" * 71, "a\n"):
        assert not uniqueids.is_good(bad)
