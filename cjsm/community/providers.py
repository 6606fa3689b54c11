"""Cloud mail providers, as data: who their servers are and where they say whose mail it is (community §5, rule 1)."""

import tomllib
from collections.abc import Mapping

import msgspec
from msgspec import Struct


class Provider(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One provider.

    :ivar names: names of its servers' certificates; ``*.`` at the front stands for one label or more.
    :ivar networks: where its servers are, in CIDR form; none where the certificate alone decides.
    :ivar tenant_header: the field that names the tenant.
    :ivar selectors: where DNS has the DKIM keys of a tenant's domain, unless its engineer chose others.
    """

    name: str
    title: str
    names: tuple[str, ...]
    tenant_header: str
    networks: tuple[str, ...] = ()
    selectors: tuple[str, ...] = ()

    def is_called(self, names: frozenset[str]) -> bool:
        """Whether a certificate for *names* is the provider's."""
        return any(_matches(known, name) for known in self.names for name in names)


class _Table(Struct, frozen=True, forbid_unknown_fields=True):
    provider: tuple[Provider, ...] = ()


def parse(text: str) -> Mapping[str, Provider]:
    """Return the providers of a table by name.

    :raises msgspec.ValidationError: when it is none.
    """
    return {provider.name: provider for provider in msgspec.convert(tomllib.loads(text), _Table).provider}


def _matches(known: str, name: str) -> bool:
    plain = known.lower()
    if plain.startswith("*."):
        return name.lower().removeprefix("*").endswith(plain[1:])
    return name.lower() == plain
