"""Tests of the CJSM suite; the tree mirrors ``cjsm/``."""
