"""Who may post to a list (community §8)."""

from cjsm.community.address import Address
from cjsm.community.finding import owned_list
from cjsm.community.identifiers import ListId, OrganisationId
from cjsm.community.records import MailList, WhoMayPost
from cjsm.community.states import top_of
from cjsm.community.verdicts import AccountOrigin, ConnectionOrigin, Origin, Service, ServiceOrigin
from cjsm.community.view import View

#: Lists inside lists, the first counted, and addresses that one list reaches.
LIST_DEPTH = 4
LIST_TOTAL = 10_000


def may_post(view: View, origin: Origin, sender: Address | None, found: MailList) -> bool:
    """Whether *origin*, as *sender*, may post to the list. Automatic mail is never distributed."""
    if isinstance(origin, ServiceOrigin):
        return _service_may_post(view, origin, found)
    if sender is None:
        return False
    if found.who_may_post is WhoMayPost.COMMUNITY or _manages(origin, found):
        return True
    if found.who_may_post is WhoMayPost.MEMBERS:
        return _is_member(view, _identities(view, origin, sender), found, LIST_DEPTH)
    place = _place(view, origin, sender)
    return place is not None and _same_top(view, place, found.organisation)


def _service_may_post(view: View, origin: ServiceOrigin, found: MailList) -> bool:
    """Notices, and lists of the same top organisation, whose administrators are the same; others where all may."""
    if origin.service in (Service.DSN, Service.ECHO):
        return False
    if origin.service is Service.NOTICE or found.who_may_post is WhoMayPost.COMMUNITY:
        return True
    outer = view.mail_list(origin.on_behalf) if origin.on_behalf is not None else None
    return outer is not None and _same_top(view, outer.organisation, found.organisation)


def _manages(origin: Origin, found: MailList) -> bool:
    return isinstance(origin, AccountOrigin) and origin.account in found.managers


def _identities(view: View, origin: Origin, sender: Address) -> set[str]:
    own = {str(sender)}
    if isinstance(origin, AccountOrigin):
        own.update(record.address for record in view.addresses_of(origin.account))
    return own


def _is_member(view: View, identities: set[str], found: MailList, depth: int) -> bool:
    """Whether one of *identities* is a member, of the list or of lists in it."""
    seen: set[ListId] = {found.id}
    level = [found]
    for _ in range(depth):
        if any(not identities.isdisjoint(each.members) for each in level):
            return True
        level = [inner for each in level for inner in _lists_in(view, each, seen)]
    return False


def _lists_in(view: View, found: MailList, seen: set[ListId]) -> list[MailList]:
    inside = []
    for member in found.members:
        inner = owned_list(view, view.address(member))
        if inner is not None and inner.id not in seen:
            seen.add(inner.id)
            inside.append(inner)
    return inside


def _place(view: View, origin: Origin, sender: Address) -> OrganisationId | None:
    if isinstance(origin, AccountOrigin):
        account = view.account(origin.account)
        return account.organisation if account is not None else None
    domain = view.domain(sender.domain) if isinstance(origin, ConnectionOrigin) else None
    return domain.organisation if domain is not None else None


def _same_top(view: View, one: OrganisationId, other: OrganisationId) -> bool:
    top = top_of(view, one)
    return top is not None and top == top_of(view, other)
