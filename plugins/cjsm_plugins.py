"""Twisted plug-ins: everything in one process, or one process for each part."""

from cjsm.plugin import EVERYTHING, Maker

everything = Maker("cjsm", "A whole secure mail community: every door and delivery.", EVERYTHING)
smtp = Maker("cjsm-smtp", "The SMTP submission doors of a secure mail community.", ("smtp",))
pop3 = Maker("cjsm-pop3", "The POP3 door of a secure mail community.", ("pop3",))
ldap = Maker("cjsm-ldap", "The LDAP directory of a secure mail community.", ("ldap",))
delivery = Maker("cjsm-delivery", "Delivery and jobs of a secure mail community.", ("delivery",))
