"""One community with a firm for all tests of a module."""

from collections.abc import Iterator

import pytest

from tests.peers.certificates import Identity
from tests.relay.firm import NAME, Firm
from tests.running import Community


@pytest.fixture(scope="module")
def firm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firm]:
    """The firm; a test says where its server is with :meth:`Firm.change`."""
    community = Community(tmp_path_factory.mktemp("community"))
    community.make()
    # What a server does is written for each connection, so each try gets one of its own.
    community.set("idle_connection", "0")
    community.reload()
    made = Firm(community, tmp_path_factory.mktemp("authority"))
    made.join(1)
    yield made
    community.stop()
    assert "Traceback" not in community.log(), community.log()[-3000:]


@pytest.fixture(scope="module")
def identity(firm: Firm) -> Identity:
    """What the firm's server shows when all is well."""
    return firm.certificates.server(NAME)
