"""Why a message would be taken or not."""

import pytest

from cjsm.community.admission import Accept, Refuse
from cjsm.community.errors import NotFound
from cjsm.community.explaining import explain, origin_named, route_told
from cjsm.community.rules import OUTSIDE
from tests.community.communities import FIRM_CONNECTION, SUFFIX, community

VIEW = community()
JO, FIRM = f"jo.ward@avon.{SUFFIX}", f"re.layed@firm.co.uk.{SUFFIX}"


@pytest.mark.parametrize(
    ("sender", "kind", "name", "said"),
    [
        (JO, None, None, "account jo.ward@avon"),
        (FIRM, None, None, "connection firm"),
        ("re.layed@firm.co.uk", None, None, "connection firm"),
        ("anybody@firm.co.uk", None, None, "connection firm"),
        (f"desk@avon.{SUFFIX}", None, None, "account jo.ward@avon"),
        ("<>", None, None, "service dsn"),
        ("", "service", "echo", "service echo"),
        ("", "service", None, "service notice"),
        (f"all@avon.{SUFFIX}", "service", "list", "service list"),
        ("", "connection", "firm", "connection firm"),
        (FIRM, "account", None, "account re.layed@firm"),
        (FIRM, "account", "sam.hill@avon", "account sam.hill@avon"),
        (f"<{JO}>", "connection", "firm", "connection firm"),
        ("x@evil.com", None, None, "nobody of the community"),
        (f"all@avon.{SUFFIX}", None, None, "nobody of the community"),
        (f"x@{SUFFIX}", None, None, "nobody of the community"),
        ("not an address", None, None, "nobody of the community"),
    ],
)
def test_who_sends(sender: str, kind: str | None, name: str | None, said: str) -> None:
    """Whoever the sender belongs to, unless somebody is named."""
    explained = explain(VIEW, sender, JO, kind, name)
    assert origin_named(VIEW, explained.origin) == said
    assert explained.verdict.rules


@pytest.mark.parametrize(
    ("sender", "kind", "name"),
    [
        ("x@evil.com", "account", None),
        ("x@evil.com", "connection", None),
        ("", "connection", None),
        (JO, "connection", "none"),
        (JO, "account", "no.body@avon"),
        (JO, "service", "post"),
    ],
)
def test_nobody_of_that_name(sender: str, kind: str, name: str | None) -> None:
    """Said, with the cure."""
    with pytest.raises(NotFound) as refused:
        explain(VIEW, sender, JO, kind, name)
    assert refused.value.cure


def test_outsiders() -> None:
    """Nobody is asked whether an outsider may write: there is no way in."""
    verdict = explain(VIEW, "x@evil.com", JO).verdict
    assert isinstance(verdict, Refuse)
    assert (verdict.code, verdict.rules) == (530, (OUTSIDE,))


def test_forms() -> None:
    """Neither the sender nor the recipient has to be an address."""
    for sender, recipient in ((JO, '"x"@evil.com'), ("no address", JO)):
        verdict = explain(VIEW, sender, recipient).verdict
        assert isinstance(verdict, Refuse)
        assert verdict.rules == ("address-syntax",)


@pytest.mark.parametrize(
    ("recipient", "told"),
    [
        (f"sam.hill@avon.{SUFFIX}", {"kind": "mailbox", "mailbox": "sam.hill@avon"}),
        (f"desk@avon.{SUFFIX}", {"kind": "mailbox", "mailbox": "shared mailbox desk"}),
        (f"all@avon.{SUFFIX}", {"kind": "list", "list": "all", "reaches": 2}),
        (f"echo@{SUFFIX}", {"kind": "echo"}),
        (
            FIRM,
            {
                "kind": "connection",
                "connection": FIRM_CONNECTION.slug,
                "domain": f"firm.co.uk.{SUFFIX}",
                "next_hops": ["mail.firm.co.uk:25"],
            },
        ),
    ],
)
def test_routes(recipient: str, told: dict[str, object]) -> None:
    """Where it goes."""
    verdict = explain(VIEW, JO, recipient).verdict
    assert isinstance(verdict, Accept)
    assert route_told(VIEW, verdict.route) == told
