"""One kept sample of every stored form, and how the file for a new suite is written.

``suite1.json`` was written once and stays: whatever comes later must still read it. For a new suite, add a file of its
own with ``python -m tests.vault.samples tests/vault/samples/suite2.json``.
"""
