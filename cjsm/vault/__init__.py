"""Keys, sealing, signing and certificates: the only room that imports cryptography or bcrypt.

Formats are described byte by byte in ``docs/specifications/vault.md``.
"""
