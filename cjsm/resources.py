"""Files that come with the package: ``data/`` and ``etc/``, the same from a wheel and from a source tree."""

from importlib.resources import files
from importlib.resources.abc import Traversable


def data(*parts: str) -> Traversable:
    """Return a file below ``data/``: schema, demo community, notice texts."""
    return files("cjsm").joinpath("_data", *parts)


def etc(*parts: str) -> Traversable:
    """Return a file below ``etc/``: what an operator copies."""
    return files("cjsm").joinpath("_etc", *parts)
