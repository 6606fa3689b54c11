"""A notice of each kind with a date and code made up: for previews, and for tests that look at all of them."""

from cjsm.community.identifiers import AccountId
from cjsm.notices.notice import Kind, Language, Notice

_CODES = {
    Kind.PASSWORD_ENDING: "10",
    Kind.NEAR_QUOTA: "90",
    Kind.SHARED_NEAR_QUOTA: "90",
    Kind.CERTIFICATE_ENDING: "30",
    Kind.PLANNED_OUTAGE: "120",
    Kind.BREAK_GLASS: "user",
}
_NOBODY = AccountId(bytes(16))


def sample(kind: Kind, language: Language, date: int, account: AccountId = _NOBODY) -> Notice:
    """Return a notice of *kind* that could have been."""
    return Notice(kind=kind, account=account, date=date, language=language, code=_CODES.get(kind, ""))
