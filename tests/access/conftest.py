"""What the tests of signing in share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .support import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Avon Police, with nobody in it yet."""
    made = House(tmp_path / "data")
    yield made
    made.close()
