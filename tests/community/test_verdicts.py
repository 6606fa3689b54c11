"""What admission is asked with and what it answers."""

import msgspec

from cjsm.community.identifiers import AccountId, ConnectionId, ListId, MailboxId
from cjsm.community.verdicts import (
    AccountOrigin,
    ConnectionOrigin,
    EchoRoute,
    HostedRoute,
    ListRoute,
    Origin,
    RelayRoute,
    Route,
    Service,
    ServiceOrigin,
    refuse,
)
from tests.community.communities import community, identifier


def test_stored_with_what_they_are() -> None:
    """Origins and routes in a spool entry or a trace read again as what they were."""
    origins: list[Origin] = [
        AccountOrigin(account=AccountId(identifier("a"))),
        ConnectionOrigin(connection=ConnectionId(identifier("c"))),
        ServiceOrigin(service=Service.LIST, on_behalf=ListId(identifier("l"))),
    ]
    for origin in origins:
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(origin), type=Origin) == origin
    routes: list[Route] = [
        HostedRoute(mailbox=MailboxId(identifier("m"))),
        ListRoute(mail_list=ListId(identifier("l"))),
        RelayRoute(connection=ConnectionId(identifier("c")), domain="firm.co.uk.cjsm.test"),
        EchoRoute(),
    ]
    for route in routes:
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(route), type=Route) == route


def test_refusals_name_the_view() -> None:
    """And the rule, so that a decision can be followed afterwards."""
    verdict = refuse(community(), 550, "5.7.1", "no", "a-rule")
    assert (verdict.view, verdict.rules) == (7, ("a-rule",))
