"""The directory's fields by everyday names: what people search by, and the columns of the 15-column form."""

from collections.abc import Mapping

from msgspec import Struct

#: The attributes that each field is searched in.
SEARCHED: Mapping[str, tuple[str, ...]] = {
    "name": ("cn", "displayName"),
    "first-name": ("givenName",),
    "last-name": ("sn",),
    "user-id": ("uid",),
    "address": ("mail",),
    "organisation": ("o", "ou"),
    "user-type": ("employeeType",),
    "street": ("street",),
    "town": ("l",),
    "postcode": ("postalCode",),
    "telephone": ("telephoneNumber",),
    "mobile": ("mobile",),
    "description": ("description",),
    "business-type": ("businessCategory",),
    "area": ("cjsmArea",),
    "status": ("cjsmAccountStatus",),
}

#: Where free text is looked for; numbers are looked for among telephone numbers too.
TEXT = ("displayName", "cn", "mail", "uid", "l")


class Column(Struct, frozen=True, kw_only=True):
    """One column of the form.

    :ivar title: as the first line of a file has it.
    :ivar profile: the field of :class:`~cjsm.community.records.Profile` that it holds, if any.
    :ivar attribute: what a reader must be allowed to read to see it.
    """

    title: str
    attribute: str
    profile: str = ""


ORGANISATION, ADDRESS, STATUS = "Organisation", "Secure Email", "Account Status"

#: The status of somebody who is no more, in what tells of changes.
REMOVED = "Removed"

#: The 15 columns, in their order.
COLUMNS = (
    Column(title="Firstname", profile="first_name", attribute="givenName"),
    Column(title="Lastname", profile="last_name", attribute="sn"),
    Column(title="UserType", profile="user_type", attribute="employeeType"),
    Column(title=ORGANISATION, attribute="o"),
    Column(title=ADDRESS, attribute="mail"),
    Column(title="Address1", profile="address1", attribute="street"),
    Column(title="Address2", profile="address2", attribute="street"),
    Column(title="Town/City", profile="town", attribute="l"),
    Column(title="Postcode", profile="postcode", attribute="postalCode"),
    Column(title="Telephone", profile="telephone", attribute="telephoneNumber"),
    Column(title="Mobile", profile="mobile", attribute="mobile"),
    Column(title="Description", profile="description", attribute="description"),
    Column(title="Business Type", profile="business_type", attribute="businessCategory"),
    Column(title="CJ Area", profile="area", attribute="cjsmArea"),
    Column(title=STATUS, attribute="cjsmAccountStatus"),
)
