"""Who a message says it is from, and where it asks answers to go (community §5, rule 2)."""

from cjsm.community import finding
from cjsm.community.address import Address
from cjsm.community.admission import AccountOrigin, Origin, Refuse, canonical, is_member_address, may_appear_as
from cjsm.community.records import OwnerKind
from cjsm.community.view import View
from cjsm.mail.header import Field, Header
from cjsm.mail.interfaces import Refused
from cjsm.mail.mailboxes import AmbiguousAddress, addresses

#: Fields that ask for an answer somewhere, whether a standard knows them or mail programs only: they must name members.
ANSWER_TO = (
    *(b"reply-to", b"disposition-notification-to", b"return-receipt-to", b"errors-to"),
    *(b"mail-reply-to", b"mail-followup-to"),
)


def check_identity(view: View, origin: Origin, header: Header, most: int, *, international: bool = False) -> Address:
    """Check that the message says truly who sent it, and asks for answers inside the community only; return who From
    says that is.

    From, and Sender where there is one, must be exactly one address that *origin* may use. To and Cc are not checked.

    :param international: SMTPUTF8 was said, so that addresses may be of UTF-8.
    :param most: addresses that may be asked to get answers, all fields together.
    :raises Refused: saying which field is wrong.
    """
    (written,) = (_own(view, origin, field, international=international) for field in header.all(b"from"))
    for field in header.all(b"sender"):
        _own(view, origin, field, international=international)
    asked: set[Address] = set()
    for field in header.all(*ANSWER_TO):
        for address in _read(field, international=international):
            asked.add(address)
            if len(asked) > most:
                raise Refused(550, "5.7.1", f"the message asks more than {most} addresses to get the answers")
            if not is_member_address(view, origin, canonical(view, origin, address)):
                raise Refused(550, "5.7.1", f"{field.title} names {address}, which mail from here cannot reach")
    return written


def on_behalf(view: View, origin: Origin, written: Address) -> str:
    """Return the own address of an account whose mail is from a shared mailbox; empty where it is not.

    Mail programs show Sender and From as "A on behalf of B" (community §8).

    :param written: what :func:`check_identity` returned.
    """
    if not isinstance(origin, AccountOrigin):
        return ""
    record = view.address(str(written))
    shared = record is not None and record.owner_kind is OwnerKind.SHARED_MAILBOX
    return finding.primary_address(view, origin.account) if shared else ""


def _own(view: View, origin: Origin, field: Field, *, international: bool) -> Address:
    named = _read(field, groups=False, international=international)
    if len(named) != 1:
        raise Refused(550, "5.7.1", f"the {field.title} field must name exactly one address, your own")
    written = canonical(view, origin, named[0])
    verdict = may_appear_as(view, origin, written)
    if isinstance(verdict, Refuse):
        raise Refused(verdict.code, verdict.status, f"{field.title}: {verdict.text}")
    return written


def _read(field: Field, *, groups: bool = True, international: bool = False) -> list[Address]:
    try:
        return addresses(field.value, groups=groups, international=international)
    except AmbiguousAddress as error:
        raise Refused(550, "5.7.1", f"the {field.title} field is not plain: {error}") from error
