"""What can be wrong with a key, a secret or something sealed. Verification raises; it never returns False."""


class VaultError(Exception):
    """Something in the vault did not hold."""


class NotAuthentic(VaultError):
    """A signature, tag or binding is wrong: not what was sealed, or not for this place."""


class ForgedKey(NotAuthentic):
    """A granted seed does not give the signed public key: somebody put a key there. Worth an alarm."""


class WrongSecret(VaultError):
    """The password or key given is not the right one."""


class UnknownSuite(VaultError):
    """Sealed with an algorithm suite that this version does not know."""


class Malformed(VaultError):
    """Not of the form it should have."""


class WeakKey(VaultError):
    """A key that somebody else published is of a size that proves nothing, or costs too much."""


class BadPassword(VaultError):
    """A new password is not acceptable; the text says why and what would be."""


class BadRequest(VaultError):
    """A certificate is not issued: the request, or how long it should hold, is not taken."""


class MissingSecret(VaultError):
    """A service secret or certificate cannot be used.

    :ivar cure: what to do about it.
    """

    def __init__(self, problem: str, cure: str) -> None:
        super().__init__(problem)
        self.cure = cure
