"""Why mail of other systems cannot be taken."""


class FolderError(Exception):
    """A source cannot be read, or a place cannot be written to.

    :ivar cure: what to do about it.
    """

    def __init__(self, problem: str, cure: str) -> None:
        super().__init__(problem)
        self.cure = cure


class ImportStopped(Exception):
    """An import cannot go on; what was done stays, and running it again goes on there.

    :ivar cure: what to do first.
    """

    def __init__(self, problem: str, cure: str) -> None:
        super().__init__(problem)
        self.cure = cure
