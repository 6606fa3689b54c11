"""CJSM suite: an open, secure mail community for the justice system."""
