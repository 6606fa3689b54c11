"""Errors of the community: one family, each with a cure."""

from cjsm.community import errors
from cjsm.community.errors import BadValue, CommunityError


def test_one_family() -> None:
    """Whoever catches CommunityError catches all."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(kinds) >= 5
    assert all(issubclass(kind, CommunityError) for kind in kinds)


def test_cure() -> None:
    """What to do stands beside what is wrong."""
    error = BadValue("too long", "use fewer letters")
    assert (str(error), error.cure) == ("too long", "use fewer letters")
    assert CommunityError("no").cure == ""
