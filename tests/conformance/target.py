"""The server that is spoken to: what every suite needs to know of it."""

import ssl
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import pytest


class Security(Enum):
    """How TLS begins, if at all."""

    STARTTLS = "starttls"
    IMPLICIT = "implicit-tls"
    PLAIN = "plain"


@dataclass(frozen=True, kw_only=True)
class Server:
    """The server that is spoken to, and who speaks.

    :ivar authority: PEM file of the authority to trust; None for those of the system.
    :ivar identity: PEM files of a client certificate and its key.
    :ivar user: who signs in; empty for nobody.
    :ivar own: the server is this project's, and must also keep what it promises beyond the standards.
    """

    host: str
    port: int
    security: Security
    authority: str | None = None
    identity: tuple[str, str] | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    own: bool = False

    def context(self) -> ssl.SSLContext:
        """Return what this client trusts and shows."""
        context = ssl.create_default_context(cafile=self.authority)
        if self.identity is not None:
            context.load_cert_chain(*self.identity)
        return context


#: The target that ``script/conformance`` names, in pytest's configuration.
CHOSEN = pytest.StashKey[Any]()


class Chosen:
    """The plug-in by which ``script/conformance`` names a target."""

    def __init__(self, target: Server) -> None:
        self._target = target

    def pytest_configure(self, config: pytest.Config) -> None:
        """Tell the suite."""
        config.stash[CHOSEN] = self._target
