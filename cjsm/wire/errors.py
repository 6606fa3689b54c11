"""Why a connection cannot be secured."""


class TlsError(Exception):
    """A certificate or key cannot be used.

    :ivar cure: what to do about it.
    """

    def __init__(self, problem: str, cure: str) -> None:
        super().__init__(problem)
        self.cure = cure
