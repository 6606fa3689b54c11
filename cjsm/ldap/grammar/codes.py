"""The numbers of the protocol: operations and result codes (RFC 4511 §4.1.9, Appendix A and B).

Codes 60, 61 and 76 are those of draft-ietf-ldapext-ldapv3-vlv-09, 122 that of RFC 4528.
"""

from enum import IntEnum


class Operation(IntEnum):
    """Requests by the tag of their element."""

    BIND = 0x60
    UNBIND = 0x42
    SEARCH = 0x63
    MODIFY = 0x66
    ADD = 0x68
    DELETE = 0x4A
    MODIFY_DN = 0x6C
    COMPARE = 0x6E
    ABANDON = 0x50
    EXTENDED = 0x77


class Answer(IntEnum):
    """Answers by the tag of their element."""

    BIND = 0x61
    ENTRY = 0x64
    DONE = 0x65
    MODIFY = 0x67
    ADD = 0x69
    DELETE = 0x6B
    MODIFY_DN = 0x6D
    COMPARE = 0x6F
    EXTENDED = 0x78


#: The answer to each request; there is none to Unbind and Abandon.
ANSWERS = {
    Operation.BIND: Answer.BIND,
    Operation.SEARCH: Answer.DONE,
    Operation.MODIFY: Answer.MODIFY,
    Operation.ADD: Answer.ADD,
    Operation.DELETE: Answer.DELETE,
    Operation.MODIFY_DN: Answer.MODIFY_DN,
    Operation.COMPARE: Answer.COMPARE,
    Operation.EXTENDED: Answer.EXTENDED,
}


class ResultCode(IntEnum):
    """The result codes that this server gives."""

    SUCCESS = 0
    OPERATIONS_ERROR = 1
    PROTOCOL_ERROR = 2
    TIME_LIMIT_EXCEEDED = 3
    SIZE_LIMIT_EXCEEDED = 4
    COMPARE_FALSE = 5
    COMPARE_TRUE = 6
    AUTH_METHOD_NOT_SUPPORTED = 7
    STRONGER_AUTH_REQUIRED = 8
    ADMIN_LIMIT_EXCEEDED = 11
    UNAVAILABLE_CRITICAL_EXTENSION = 12
    CONFIDENTIALITY_REQUIRED = 13
    SASL_BIND_IN_PROGRESS = 14
    NO_SUCH_ATTRIBUTE = 16
    UNDEFINED_ATTRIBUTE_TYPE = 17
    INAPPROPRIATE_MATCHING = 18
    CONSTRAINT_VIOLATION = 19
    INVALID_ATTRIBUTE_SYNTAX = 21
    NO_SUCH_OBJECT = 32
    INVALID_DN_SYNTAX = 34
    INVALID_CREDENTIALS = 49
    INSUFFICIENT_ACCESS_RIGHTS = 50
    BUSY = 51
    UNAVAILABLE = 52
    UNWILLING_TO_PERFORM = 53
    SORT_CONTROL_MISSING = 60
    OFFSET_RANGE_ERROR = 61
    VIRTUAL_LIST_VIEW_ERROR = 76
    OTHER = 80
    ASSERTION_FAILED = 122
