"""Certificates for peers."""

import pytest

from tests.peers.certificates import CertificateMaker


@pytest.fixture(scope="session")
def maker(tmp_path_factory: pytest.TempPathFactory) -> CertificateMaker:
    """An authority that peers and clients trust."""
    return CertificateMaker(tmp_path_factory.mktemp("certificates"))
