"""People's ordinary addresses, out of the community's records: this room looks them up itself."""

from zope.interface import implementer

from cjsm.community.identifiers import AccountId
from cjsm.notices.interfaces import IOrdinaryAddresses
from cjsm.store.interfaces import ICommunityStore


@implementer(IOrdinaryAddresses)
class OrdinaryAddresses:
    """See :class:`IOrdinaryAddresses`."""

    def __init__(self, community: ICommunityStore) -> None:
        self._community = community

    def ordinary_address(self, account: AccountId) -> str:
        """See :class:`IOrdinaryAddresses`."""
        found = self._community.read_now(lambda view: view.account(account))
        return found.profile.ordinary_email.strip() if found is not None else ""
