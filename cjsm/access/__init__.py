"""Getting in: the one credential checker, passwords, lockout, throttling and avatars."""
