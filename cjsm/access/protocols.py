"""By which protocol somebody signs in where it is not a door's: what for, and so what is opened.

Those of the doors are in :data:`cjsm.community.acts.credentials.PROTOCOLS`.
"""

#: The one door behind which mail is opened; the others need no key.
OPENS_MAIL = "pop3"

#: Somebody's mail is opened at the server too, with the person's own password: no device password is for that.
AT_THE_SERVER = "command"

#: Somebody acts at the server and shows the own password for it; nothing is opened.
ACTS = "act"

#: Lets somebody in for nothing but the choice of a password.
CHOOSES = "password"

#: Lets somebody in for nothing but unlocking the own account: the lock itself does not stand in the way, all that is
#: counted does.
UNLOCKS = "unlock"
