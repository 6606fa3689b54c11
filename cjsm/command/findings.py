"""What ``cjsm check`` finds."""

from msgspec import Struct


class Finding(Struct, frozen=True):
    """One thing that was looked at; ``problem`` is empty where all is well.

    ``warning`` is True for what could be better and works.
    """

    what: str
    problem: str = ""
    cure: str = ""
    warning: bool = False
