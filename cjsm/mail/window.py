"""How many connections one destination gets: more while it answers well, fewer while it fails, none when it is dead.

The rule is the one that has served mail for twenty years: a success adds 1/n to the window of n, a failure takes 1/n
away, whole steps only; a cohort of failures in a row, as many as the window is wide, means that it is dead.
"""


class Window:
    """The window of one destination.

    :param first: its width at first, and after it came back.
    :param most: its greatest width.
    :ivar width: connections allowed now; 0 while dead.
    """

    def __init__(self, first: int, most: int) -> None:
        self._first = max(1, min(first, most))
        self._most = max(1, most)
        self.width = self._first
        self._gained = 0.0
        self._lost = 0.0
        self._cohorts = 0.0

    @property
    def is_dead(self) -> bool:
        """Whether nothing should be tried for a while."""
        return self.width == 0

    def succeeded(self) -> None:
        """The other side took or refused a message in an orderly way."""
        self._cohorts = 0.0
        if self.width == 0:
            self.revive()
        self._gained += 1 / self.width
        while self._gained >= 1 and self.width < self._most:
            self.width += 1
            self._gained -= 1
            self._lost = 0.0
        self._gained = min(self._gained, 1.0)

    def failed(self) -> None:
        """The other side could not be reached or broke off."""
        if self.width == 0:
            return
        self._cohorts += 1 / self.width
        if self._cohorts >= 1:
            self.width = 0
            return
        self._lost += 1 / self.width
        while self._lost >= 1 and self.width > 1:
            self.width -= 1
            self._lost -= 1
            self._gained = 0.0

    def revive(self) -> None:
        """Try again, carefully."""
        self.width = self._first
        self._gained = self._lost = self._cohorts = 0.0
