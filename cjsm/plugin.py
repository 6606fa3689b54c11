"""What twistd asks of a plug-in; light, because twistd imports every plug-in to list them."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from twisted.application.service import IServiceMaker
from twisted.plugin import IPlugin
from zope.interface import implementer

if TYPE_CHECKING:
    from cjsm.service import CjsmService

#: The parts that a service may have.
EVERYTHING = ("smtp", "pop3", "ldap", "delivery")


@implementer(IServiceMaker, IPlugin)
class Maker:
    """One ``twistd`` subcommand.

    :param parts: of :data:`EVERYTHING`.
    """

    def __init__(self, tapname: str, description: str, parts: Collection[str]) -> None:
        self.tapname = tapname
        self.description = description
        self._parts = parts

    @property
    def options(self) -> Any:
        """The class that parses the subcommand's options."""
        from cjsm.service import Options

        return Options

    def makeService(self, options: Any) -> "CjsmService":
        """Return the service."""
        from cjsm.service import make_service

        return make_service(options, self._parts)
