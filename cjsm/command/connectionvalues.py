"""The options that say what a connection is, shared by ``add`` and ``edit``."""

from collections.abc import Callable
from typing import Any, TypeVar

import rich_click as click

from cjsm.community.acts.connectionvalues import LIMITS, next_hop_of
from cjsm.community.errors import BadValue
from cjsm.community.records import NextHop, RelayLimits, TlsTrust, TlsVersion

F = TypeVar("F", bound=Callable[..., Any])


def _next_hops(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> tuple[NextHop, ...]:
    """Read ``host``, ``host:port``, an address or ``[address]:port``; their parts are judged by the act."""
    return tuple(_next_hop(value) for value in values)


def _next_hop(value: str) -> NextHop:
    try:
        return next_hop_of(value)
    except BadValue as error:
        raise click.BadParameter(f"{error}: {error.cure}") from None


def _limits(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, int | None]:
    """Read ``name=number``; ``name=`` goes back to the service's own setting."""
    return dict(_limit(value) for value in values)


def _limit(value: str) -> tuple[str, int | None]:
    name, equals, figure = value.partition("=")
    known = name.strip().replace("-", "_")
    if known not in LIMITS:
        raise click.BadParameter(f"there is no limit {name!r}: the limits are {', '.join(LIMITS)}")
    if not equals or not (figure == "" or (figure.isascii() and figure.isdigit() and len(figure) < 12)):
        raise click.BadParameter(f"{value!r} has no figure: write it like {known}={LIMITS[known][0]}")
    return known, int(figure) if figure else None


_OPTIONS = (
    click.option("--next-hop", "next_hops", multiple=True, callback=_next_hops, metavar="HOST:PORT",
                 help="Where mail goes; repeat for more."),
    click.option("--network", "networks", multiple=True, help="Where its mail comes from, such as 192.0.2.0/24."),
    click.option("--certificate-name", "certificate_names", multiple=True,
                 help="A name in its client certificate of a public authority."),
    click.option("--tls-name", help="The name in the next hop's certificate, where it is not the host's."),
    click.option("--tls-trust", type=click.Choice([each.value for each in TlsTrust]),
                 help="Who vouches for the next hop's certificate."),
    click.option("--tls-minimum", type=click.Choice([each.value for each in TlsVersion]), help="The oldest TLS."),
    click.option("--tls-pin", "tls_pins", multiple=True, help="SHA-256 of the next hop's key; the current, the next."),
    click.option("--provider", help="A cloud connection's provider."),
    click.option("--tenant", help="A cloud connection's tenant."),
    click.option("--limit", "limits", multiple=True, callback=_limits, metavar="NAME=NUMBER",
                 help=f"One of {', '.join(LIMITS)}."),
    click.option("--contact", help="Whom engineers talk to."),
)  # fmt: skip


def connection_values(function: F) -> F:
    """Give a command the options of a connection's values."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def given(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values that were given, by the names of the record's fields."""
    told = {name: value for name, value in values.items() if value not in (None, (), {})}
    for name, kind in (("tls_trust", TlsTrust), ("tls_minimum", TlsVersion)):
        if name in told:
            told[name] = kind(told[name])
    if "limits" in told:
        told["limits"] = RelayLimits(**told["limits"])
    return told
