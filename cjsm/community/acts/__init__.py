"""Administrative acts: each asks ``may``, checks its values and returns the whole :class:`Change` with its entry.

The moment comes from the view, identifiers from the caller. What an act may not do raises one of
:mod:`cjsm.community.errors`; nothing is written then.
"""
