"""Why an act or a value was not taken; each says what would be."""

#: The most characters of what somebody gave that an error says again.
_SHOWN = 60


def quoted(given: str) -> str:
    """Return what somebody gave as an error says it again: in quotes, what nobody sees escaped, and shortened."""
    return repr(given if len(given) <= _SHOWN else f"{given[:_SHOWN]}…")


class CommunityError(Exception):
    """Something the community's rules do not take.

    :ivar cure: what to do instead, or an empty string.
    """

    def __init__(self, problem: str, cure: str = "") -> None:
        super().__init__(problem)
        self.cure = cure


class BadValue(CommunityError):
    """A value is not of the form it must have."""


class NotFound(CommunityError):
    """What was named does not exist, or not for this actor."""


class Exists(CommunityError):
    """The name is taken."""


class NotAllowed(CommunityError):
    """``may`` said no; the text is its reason."""


class Conflict(CommunityError):
    """The act would leave the community without something it must have."""


class Overtaken(Conflict):
    """Somebody else changed meanwhile what the act was made from; made again from what is there now, it may succeed."""
