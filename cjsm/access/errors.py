"""Why somebody does not get in. Doors translate these in one table each."""


class AccessError(Exception):
    """Signing in did not succeed; ``str()`` is the public text."""


class AccessRefused(AccessError):
    """Wrong in any way that must not be told apart: unknown, wrong secret, locked, suspended (community §7).

    :param warned: whether so many different passwords were tried for the name, somebody's or not, that few are left.
    """

    def __init__(self, *, warned: bool = False) -> None:
        text = "user name or password not accepted"
        super().__init__(f"{text}; after another wrong password your network is shut out" if warned else text)


class TryLater(AccessError):
    """The service or this source is too busy with attempts; *seconds* is when to come back."""

    def __init__(self, seconds: int = 30) -> None:
        super().__init__(f"too many attempts at this time, try again in {seconds} seconds")
        self.seconds = seconds


class MustChoosePassword(AccessError):
    """The right one-time password: it only serves to choose a password of one's own."""

    def __init__(self) -> None:
        super().__init__("this is a one-time password: choose your own password first")


class PasswordExpired(MustChoosePassword):
    """The right password, but not good enough any more: it only serves to choose another.

    :param shortest: characters that it needs, where it was chosen before its person became an administrator and has
        fewer; 0 where it is too old.
    """

    def __init__(self, shortest: int = 0) -> None:
        why = f"has fewer than the {shortest} characters of an administrator's" if shortest else "has expired"
        AccessError.__init__(self, f"your password {why}: choose a new one first")


class DevicePasswordNeeded(AccessError):
    """A chosen password where the community's policy wants device passwords of everybody; it was not looked at."""

    def __init__(self) -> None:
        super().__init__("mail programs sign in with a device password here, not with your own")


class CodeNeeded(AccessError):
    """The password was right; a code of the second factor is needed beside it."""

    def __init__(self) -> None:
        super().__init__("this user has a second factor: a code of it is needed too")


class CodeRefused(AccessError):
    """A code of the second factor is wrong, was used before, or too many wrong ones were tried."""

    def __init__(self) -> None:
        super().__init__("code not accepted")


class MaildropInUse(AccessError):
    """Another session has the maildrop open."""

    def __init__(self) -> None:
        super().__init__("your mailbox is open in another session")


class LoginTooSoon(AccessError):
    """This maildrop was opened a moment ago; *seconds* is how long to wait yet (RFC 2449 §6.5)."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"you signed in a moment ago, try again in {seconds} seconds")
        self.seconds = seconds


class MailboxClosed(AccessError):
    """The mailbox is not what it was: nobody opens it before an operator has looked."""

    def __init__(self) -> None:
        super().__init__("your mailbox has been closed to protect it: please tell your helpdesk")


class AccessUnavailable(AccessError):
    """The stores behind the checker do not answer."""

    def __init__(self) -> None:
        super().__init__("sign-in is not available at the moment, try again later")


class NotOffered(AccessError):
    """Signed in, but this account has nothing behind this door; the text says what it has."""
