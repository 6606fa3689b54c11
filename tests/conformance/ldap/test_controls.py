"""Controls (RFC 4511 4.1.11), where they are listed in the root DSE."""

from tests.conformance.ldap.caller import Caller
from tests.ldap import support
from tests.ldap.support import asserted, paged, present, sort, view


def test_unknown_controls(caller: Caller) -> None:
    """Critical: 12 and nothing is done; else as if it were not there."""
    wire, base = caller.signed_in(), caller.target.base
    asked = present("objectClass")
    (refused,) = wire.ask(
        support.search(2, asked, base=base, scope=0, controls=[support.control("1.2.3", critical=True)])
    )
    assert refused.code == 12
    *entries, done = wire.ask(support.search(3, asked, base=base, scope=0, controls=[support.control("1.2.3")]))
    assert (len(entries), done.code) == (1, 0)


def test_pages(caller: Caller) -> None:
    """Every entry once, as many on a page as asked for; an old cookie is refused (RFC 2696)."""
    caller.needs(support.PAGED_RESULTS)
    wire, base = caller.signed_in(), caller.target.base
    whole = [entry.dn for entry in wire.ask(support.search(2, present("sn"), base=base, attributes=["1.1"]))[:-1]]
    found: list[str] = []
    cookie, used = b"", b""
    while True:
        asked = support.search(3, present("sn"), base=base, attributes=["1.1"], controls=[paged(2, cookie)])
        *entries, done = wire.ask(asked)
        found += [entry.dn for entry in entries]
        assert len(entries) <= 2
        used, cookie = cookie, done.cookie
        if not cookie:
            break
        assert done.code == 0
    assert sorted(found) == sorted(whole)
    assert wire.result(support.search(4, present("sn"), base=base, controls=[paged(2, used)])).code != 0


def test_the_rest_is_not_wanted(caller: Caller) -> None:
    """A page of no entries closes the search (RFC 2696 3)."""
    caller.needs(support.PAGED_RESULTS)
    wire, base = caller.signed_in(), caller.target.base
    cookie = wire.result(support.search(2, present("sn"), base=base, controls=[paged(1)])).cookie
    *entries, done = wire.ask(support.search(3, present("sn"), base=base, controls=[paged(0, cookie)]))
    assert (entries, done.code, done.cookie) == ([], 0, b"")


def test_orders(caller: Caller) -> None:
    """Forwards and backwards, and what has none, critical or not (RFC 2891)."""
    caller.needs(support.SORT)
    wire, base = caller.signed_in(), caller.target.base
    for key, backwards in (("sn:2.5.13.3", False), ("-sn:2.5.13.3", True)):
        *entries, done = wire.ask(support.search(2, present("sn"), base=base, controls=[sort(key)]))
        names = [min(entry.attributes["sn"]).lower() for entry in entries]
        assert names == sorted(names, reverse=backwards)
        assert done.sorted[0] == 0
    (refused,) = wire.ask(support.search(3, present("sn"), base=base, controls=[sort("noSuchAttribute")]))
    assert refused.code == 12
    *entries, done = wire.ask(
        support.search(4, present("sn"), base=base, controls=[sort("noSuchAttribute", critical=False)])
    )
    caller.promise(bool(entries) and done.sorted[0] == 16, "a sort that is not critical and cannot be done is not told")


def test_views(caller: Caller) -> None:
    """By place and by value; without an order there is none (draft-ietf-ldapext-ldapv3-vlv-09)."""
    caller.needs(support.VIRTUAL_LIST)
    wire, base = caller.signed_in(), caller.target.base
    order = sort("sn:2.5.13.3")
    *entries, done = wire.ask(support.search(2, present("sn"), base=base, controls=[order, view(0, 1, 2)]))
    assert (len(entries), done.code) == (2, 0)
    target, count, code = done.view
    assert (target, code) == (2, 0)
    name = min(entries[0].attributes["sn"])
    *by_value, done = wire.ask(support.search(3, present("sn"), base=base, controls=[order, view(0, 0, name)]))
    assert min(by_value[0].attributes["sn"]) == name
    assert done.view[1] == count
    (refused,) = wire.ask(support.search(4, present("sn"), base=base, controls=[view(0, 1, 2)]))
    assert refused.code != 0


def test_assertions(caller: Caller) -> None:
    """Not true is 122, and nothing is done (RFC 4528)."""
    caller.needs(support.ASSERTION)
    wire, base = caller.signed_in(), caller.target.base
    for filter_, code in ((present("objectClass"), 0), (present("sn"), 122), (present("noSuchAttribute"), 122)):
        asked = support.search(2, present("objectClass"), base=base, scope=0, controls=[asserted(filter_)])
        *entries, done = wire.ask(asked)
        assert (done.code, len(entries)) == (code, int(code == 0))
