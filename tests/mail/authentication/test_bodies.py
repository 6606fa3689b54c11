"""Bodies hashed as they pass: like another implementation has it that reads them whole, wherever they are cut."""

import hashlib

from dkim.canonicalization import Relaxed, Simple
from hypothesis import given
from hypothesis import strategies as st

from cjsm.mail.authentication.bodies import BodyHashes, BodyInspector, Canonicalization

from .support import hashes

#: Everything that either canonicalization treats in a way of its own, and what it must not.
pieces = st.sampled_from(
    [b"a", b"b c", b" ", b"\t", b"  \t", b"\r\n", b"\r\n\r\n", b"\r", b"\n", b".", b"\xff", b"\r\r\n"]
)
bodies = st.lists(pieces, max_size=30).map(b"".join)
cuts = st.lists(st.integers(0, 60), max_size=12)


def whole(body: bytes) -> BodyHashes:
    """The other implementation's opinion."""
    return BodyHashes(
        simple=hashlib.sha256(Simple.canonicalize_body(body)).digest(),
        relaxed=hashlib.sha256(Relaxed.canonicalize_body(body)).digest(),
    )


@given(bodies.map(lambda body: body + b"\r\n" if body else body), cuts)
def test_like_another_implementation(body: bytes, cuts: list[int]) -> None:
    """Whatever is in it, wherever it is cut."""
    assert hashes(body, cuts) == whole(body)


@given(bodies, cuts)
def test_cuts_make_no_difference(body: bytes, cuts: list[int]) -> None:
    """Also where the last line has no end, and octet by octet."""
    assert hashes(body, cuts) == hashes(body) == hashes(body, range(len(body)))


def test_bodies_without_a_last_line_end() -> None:
    """One is added; white space before it is at the end of a line."""
    assert hashes(b"a") == hashes(b"a\r\n")
    assert hashes(b"a \t").relaxed == hashes(b"a").relaxed
    assert hashes(b" \t").relaxed == hashes(b"").relaxed == hashlib.sha256().digest()
    assert hashes(b"").simple == hashes(b"\r\n\r\n").simple == hashlib.sha256(b"\r\n").digest()


def test_what_rfc_6376_says() -> None:
    """The example of §3.4.5."""
    body = b" C \r\nD \t E\r\n\r\n\r\n"
    assert hashes(body).simple == hashlib.sha256(b" C \r\nD \t E\r\n").digest()
    assert hashes(body).relaxed == hashlib.sha256(b" C\r\nD E\r\n").digest()


def test_many_blank_lines() -> None:
    """They are counted, not kept, and count when something follows them after all."""
    inspector = BodyInspector((Canonicalization.RELAXED,))
    expected = hashlib.sha256(b"a\r\n")
    inspector.write(b"a\r\n")
    for _ in range(100):
        inspector.write(b" \r\n" * 1_000)
        expected.update(b"\r\n" * 1_000)
    inspector.write(b"b")
    expected.update(b"b\r\n")
    assert inspector.finish() == BodyHashes(relaxed=expected.digest())


def test_nothing_wanted_costs_nothing() -> None:
    """Mail without signatures is not hashed."""
    inspector = BodyInspector(())
    inspector.write(b"anything")
    assert inspector.finish() == BodyHashes()
    assert BodyHashes().of(Canonicalization.SIMPLE) is None
