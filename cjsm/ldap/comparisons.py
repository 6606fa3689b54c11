"""Compare (RFC 4511 §4.10), and what a request asserts of the entry that it names (RFC 4528)."""

from twisted.logger import Logger

from cjsm.directory import names
from cjsm.directory.evaluation import Readable, compiled
from cjsm.directory.query import Equal, Filter
from cjsm.directory.reading import Reading
from cjsm.ldap import refusals
from cjsm.ldap.actions import Examine
from cjsm.ldap.grammar import responses
from cjsm.ldap.grammar.codes import Answer, ResultCode
from cjsm.ldap.grammar.requests import CompareRequest

_log = Logger()

ASSERTION_FAILED = "the entry is not what the request's assertion says"


def holds(assertion: Filter, reading: Readable, position: int) -> bool:
    """Whether *assertion* is true of an entry, as far as the reader may read it (RFC 4528)."""
    return compiled(assertion, reading)(position) is True


def compare(action: Examine, reading: Reading, who: str) -> bytes:
    """Return the answer to a Compare (RFC 4511 §4.10); what may not be read is not there.

    :param who: how the log names the reader.
    """
    code, text, matched = _compared(action, reading)
    attribute = reading.schema.attribute(action.request.attribute)
    _log.info(
        "compare by {who} of {attribute}: {code}",
        who=who,
        attribute=attribute.names[0] if attribute else "?",
        code=code.name.lower(),
    )
    return responses.result(Answer.COMPARE, code, text, matched=matched)


def _compared(action: Examine, reading: Reading) -> tuple[ResultCode, str, str]:
    request, assertion = action.request, action.extras.assertion
    try:
        position = reading.find(names.parse(request.dn))
    except refusals.REFUSALS as refusal:
        return refusals.code(refusal), str(refusal), refusals.matched(refusal)
    if assertion is not None and not holds(assertion, reading, position):
        return ResultCode.ASSERTION_FAILED, ASSERTION_FAILED, ""
    return (*compared(request, reading, position), "")


def compared(request: CompareRequest, readable: Readable, position: int) -> tuple[ResultCode, str]:
    """Return what comparing an entry's attribute with a value comes to."""
    attribute = readable.schema.attribute(request.attribute)
    if attribute is None:
        return ResultCode.UNDEFINED_ATTRIBUTE_TYPE, "this attribute is not known here"
    if not readable.schema.kinds(request.attribute) or not readable.values(position, attribute):
        return ResultCode.NO_SUCH_ATTRIBUTE, "the entry has no such attribute"
    if request.value is None:
        return ResultCode.INVALID_ATTRIBUTE_SYNTAX, "the value is not text"
    found = compiled(Equal(request.attribute, request.value), readable)(position)
    if found is None:
        return ResultCode.INVALID_ATTRIBUTE_SYNTAX, "the value does not fit the attribute"
    return (ResultCode.COMPARE_TRUE if found else ResultCode.COMPARE_FALSE), ""
