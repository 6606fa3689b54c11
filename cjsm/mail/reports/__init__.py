"""Delivery reports: what became of a message, for its sender's eyes and for programs (RFC 3464).

:mod:`~cjsm.mail.reports.facts` is what a report is made of, :mod:`~cjsm.mail.reports.message` makes it of
:mod:`~cjsm.mail.reports.words` and :mod:`~cjsm.mail.reports.status`; text of others goes through
:mod:`~cjsm.mail.reports.text`.
"""
