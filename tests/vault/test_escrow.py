"""Service secrets for the safe: so many shares open them, fewer nothing."""

from itertools import combinations
from pathlib import Path

import pytest

from cjsm.vault import escrow, secrets
from cjsm.vault.errors import Malformed, MissingSecret, NotAuthentic, UnknownSuite

FILES = {"pepper.1": "00" * 32 + "\n", "queue.2.public": "ab\n"}
MADE = escrow.make(FILES, needed=2, shares=3)


def test_any_two_of_three() -> None:
    """In any order, in capitals, with more space between the words; all three too."""
    for pair in combinations(MADE.shares, 2):
        assert escrow.open_escrow(MADE.sealed, pair) == FILES
        assert escrow.open_escrow(MADE.sealed, [f"  {share.upper()}\t" for share in reversed(pair)]) == FILES
    assert escrow.open_escrow(MADE.sealed, [MADE.shares[0], *MADE.shares]) == FILES
    assert {len(share.split()) for share in MADE.shares} == {33}
    assert MADE.shares[0] not in repr(MADE)


def test_not_enough() -> None:
    """One share, the same twice, another escrow's, a word exchanged, none, garbage."""
    other = escrow.make(FILES, needed=2, shares=3)
    first, second, _ = MADE.shares
    words = second.split()
    words[20] = "academic" if words[20] != "academic" else "acid"
    for shares in ([first], [first, first], [first, other.shares[1]], [first, " ".join(words)], [], ["", "x"]):
        with pytest.raises(NotAuthentic):
            escrow.open_escrow(MADE.sealed, shares)


def test_changed_file() -> None:
    """Any octet of it changed, cut, another escrow's or another suite's."""
    shares = MADE.shares[:2]
    for place in range(1, len(MADE.sealed)):
        changed = bytearray(MADE.sealed)
        changed[place] ^= 1
        if place % 7 == 0 or place < 40:
            with pytest.raises(NotAuthentic):
                escrow.open_escrow(bytes(changed), shares)
    for cut in (b"", MADE.sealed[:17], MADE.sealed[:-1], escrow.make(FILES, needed=2, shares=2).sealed):
        with pytest.raises(NotAuthentic):
            escrow.open_escrow(cut, shares)
    with pytest.raises(UnknownSuite):
        escrow.open_escrow(b"\x02" + MADE.sealed[1:], shares)


@pytest.mark.parametrize(("needed", "shares"), [(1, 1), (1, 3), (4, 3), (2, 17), (0, 2)])
def test_numbers(needed: int, shares: int) -> None:
    with pytest.raises(Malformed):
        escrow.make(FILES, needed=needed, shares=shares)


def test_files(tmp_path: Path) -> None:
    """All of a community's secrets come back as they were, and load; nothing is written over."""
    kept, again = tmp_path / "kept", tmp_path / "again"
    secrets.create(kept)
    secrets.rotate(kept, "community")
    (kept / "notes.txt").write_text("not a secret")
    files = escrow.read_files(kept)
    assert "notes.txt" not in files
    made = escrow.make(files, needed=3, shares=5)
    escrow.write_files(again, escrow.open_escrow(made.sealed, made.shares[1:4]))
    assert escrow.read_files(again) == files
    assert secrets.load(again).community.numbers == (1, 2)
    assert {path.stat().st_mode & 0o777 for path in again.iterdir()} == {0o600}
    with pytest.raises(MissingSecret):
        escrow.write_files(again, files)
    with pytest.raises(MissingSecret):
        escrow.read_files(tmp_path)


def test_a_name_leads_nowhere_else() -> None:
    """Whoever made a file with all shares still cannot have something else written."""
    made = escrow.make({"../pepper.1": "x"}, needed=2, shares=2)
    with pytest.raises(NotAuthentic):
        escrow.open_escrow(made.sealed, made.shares)
