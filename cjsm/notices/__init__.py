"""The few words the service sends people (community §11). Imports nothing of mail, vault or the doors.

What leaves for ordinary addresses is made of a :class:`~cjsm.notices.notice.Notice` and fixed texts, and nothing else.
"""
