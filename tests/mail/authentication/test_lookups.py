"""What one message may ask of DNS, and what answers may be."""

import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.resolver
import pytest
from hypothesis import given
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from cjsm.mail.authentication.interfaces import IResolver, Kind, LookupFailed, TooManyLookups
from cjsm.mail.authentication.lookups import Lookups
from cjsm.mail.authentication.resolver import DnsResolver

from .support import Zone, lookups


def test_answers_are_cleaned() -> None:
    """What is no address, no host name, or too long, is left out."""
    zone = Zone(
        {
            ("a.example", "A"): ["192.0.2.1", "192.0.2.256", "2001:db8::1", "", b"\xff", "192.0.2.1/24"],
            ("a.example", "AAAA"): ["2001:DB8::1", "192.0.2.1", "fe80::1%eth0\n"],
            ("a.example", "MX"): ["Mail.Example.", ".", "a b", b"\xff.example", "x" * 300],
            ("a.example", "TXT"): ["fine", "x" * 9_000, ""],
            ("b.example", "A"): ["192.0.2.1"] * 500,
        }
    )
    asked = lookups(zone)
    assert asked.addresses("a.example", Kind.A) == ("192.0.2.1",)
    assert asked.addresses("a.example", Kind.AAAA) == ("2001:db8::1",)
    assert asked.hosts("a.example", Kind.MX) == ("mail.example",)
    assert asked.texts("a.example") == (b"fine", b"")
    assert len(asked.addresses("b.example", Kind.A)) == 50


@pytest.mark.parametrize(
    "name", ["", ".", "a..b", "a b.example", "é.example", "a\\.example", "a" * 64, "a." * 130, 'a".example', "a\n"]
)
def test_no_names(name: str) -> None:
    """Nothing is asked for what is no name: there is no record of it."""
    zone = Zone()
    assert lookups(zone).texts(name) == ()
    assert zone.asked == []


def test_few_lookups() -> None:
    """A name asked for again costs nothing, in whatever case; one too many says so, also the next time."""
    zone = Zone({("a.example", "TXT"): ["one"]})
    asked = lookups(zone, most=2)
    assert [asked.texts(name) for name in ("a.example", "A.Example.", "b.example")] == [(b"one",), (b"one",), ()]
    for _ in range(2):
        with pytest.raises(TooManyLookups):
            asked.texts("c.example")
    assert asked.texts("a.example") == (b"one",)
    assert len(zone.asked) == 2


def test_little_time() -> None:
    """No lookup gets more than is left, and none begins when nothing is."""
    moments = iter([0.0, 8.0, 10.0])
    zone = Zone({("b.example", "TXT"): None})
    asked = Lookups(zone, most=9, until=10.0, seconds=5.0, clock=lambda: next(moments))
    asked.texts("a.example")
    with pytest.raises(LookupFailed):
        asked.texts("b.example")
    with pytest.raises(LookupFailed):
        asked.texts("c.example")
    assert zone.seconds == [5.0, 2.0]
    with pytest.raises(LookupFailed):
        asked.texts("b.example")
    assert len(zone.asked) == 2


@given(st.text(max_size=30), st.lists(st.binary(max_size=30), max_size=3), st.sampled_from(Kind))
def test_total(name: str, records: list[bytes], kind: Kind) -> None:
    """Whatever is asked for and answered."""

    class Any_(Zone):
        def lookup(self, name: str, kind: Kind, seconds: float) -> tuple[bytes, ...]:
            return tuple(records)

    asked = lookups(Any_())
    asked.texts(name)
    asked.addresses(name, kind)
    asked.hosts(name, kind)


# The real one, without a network


def answering(
    monkeypatch: pytest.MonkeyPatch, text: str, failure: BaseException | None = None
) -> list[dict[str, object]]:
    """Make the library answer with the records of *text*, or fail; returns how it was asked."""
    calls: list[dict[str, object]] = []

    def resolve(self: dns.resolver.Resolver, name: str, kind: dns.rdatatype.RdataType, **options: object) -> object:
        calls.append({"name": name, "servers": [str(each) for each in self.nameservers], **options})
        if failure is not None:
            raise failure
        head = "id 1\nopcode QUERY\nrcode NOERROR\nflags QR RD RA\n"
        response = dns.message.from_text(f"{head};QUESTION\n{name} IN {kind.name}\n;ANSWER\n{text}")
        assert isinstance(response, dns.message.QueryMessage)
        return dns.resolver.Answer(dns.name.from_text(name), kind, dns.rdataclass.IN, response)

    monkeypatch.setattr(dns.resolver.Resolver, "resolve", resolve)
    return calls


@pytest.mark.parametrize(
    ("kind", "record", "expected"),
    [
        (Kind.TXT, '"v=DKIM1; " "p=AA"', b"v=DKIM1; p=AA"),
        (Kind.TXT, '"\\255"', b"\xff"),
        (Kind.A, "192.0.2.1", b"192.0.2.1"),
        (Kind.AAAA, "2001:db8::1", b"2001:db8::1"),
        (Kind.MX, "10 Mail.example.", b"Mail.example."),
        (Kind.PTR, "mail.example.", b"mail.example."),
    ],
)
def test_records(monkeypatch: pytest.MonkeyPatch, kind: Kind, record: str, expected: bytes) -> None:
    """Each type of record in our form; aliases are followed."""
    text = f"a.example. 60 IN CNAME b.example.\nb.example. 60 IN {kind} {record}\n"
    calls = answering(monkeypatch, text)
    resolver = DnsResolver(["192.0.2.53"])
    verifyObject(IResolver, resolver)
    assert resolver.lookup("a.example", kind, 2.5) == (expected,)
    (call,) = calls
    assert (call["name"], call["lifetime"], call["search"]) == ("a.example.", 2.5, False)
    assert call["servers"] == ["192.0.2.53"]


def test_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name without such records, and no such name."""
    resolver = DnsResolver(["192.0.2.53"])
    answering(monkeypatch, "a.example. 60 IN CNAME b.example.\n")
    assert resolver.lookup("a.example", Kind.TXT, 1) == ()
    answering(monkeypatch, "", dns.resolver.NXDOMAIN())
    assert resolver.lookup("a.example", Kind.TXT, 1) == ()


@pytest.mark.parametrize(
    "failure",
    [
        *(dns.resolver.LifetimeTimeout(timeout=1, errors=[]), dns.resolver.NoNameservers(), dns.resolver.YXDOMAIN()),
        *(OSError(101, "unreachable"), dns.name.LabelTooLong()),
    ],
)
def test_failures(monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    """Every one is a failure for now, and no answer that there is nothing."""
    answering(monkeypatch, "", failure)
    with pytest.raises(LookupFailed):
        DnsResolver(["192.0.2.53"]).lookup("a.example", Kind.TXT, 1)


def test_no_name_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A computer without any: each lookup fails, and the service has started."""

    def nothing(self: dns.resolver.Resolver, file: str) -> None:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns.resolver.Resolver, "read_resolv_conf", nothing)
    resolver = DnsResolver()
    with pytest.raises(LookupFailed):
        resolver.lookup("a.example", Kind.TXT, 1)
