"""The Authentication-Results field (RFC 8601): ours written, and others that bear our name taken out."""

import re
import unicodedata
from collections.abc import Collection
from typing import Final

from cjsm.mail.authentication.results import AuthenticationResult, DkimVerdict, DmarcVerdict, SpfVerdict
from cjsm.mail.header import Field, Header

FIELD: Final = b"authentication-results"
_WIDTH = 78
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+./:^_`{|}~-]+")
_SPACE = re.compile(r"[ \t\r\n]*")
_WORD = re.compile(r'[^\x00-\x20\x7f()<>@,;:\\"/\[\]?=]+')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_COMMENT = re.compile(r"\\.|[()]")
_VERSION = re.compile(r"[0-9]*")


def authentication_results(result: AuthenticationResult, host: str) -> bytes:
    """Return the field that says *result*, line end included.

    :param host: our name, the authserv-id.
    """
    told = [_spf(result.spf), *(map(_dkim, result.dkim) if result.dkim else [["dkim=none"]]), _dmarc(result.dmarc)]
    lines = [f"Authentication-Results: {host}"]
    for words in told:
        lines[-1] += ";"
        lines.extend(_folded(words))
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")


def _folded(words: list[str]) -> list[str]:
    lines = [f"\t{words[0]}"]
    for word in words[1:]:
        if len(lines[-1]) + len(word) + 2 > _WIDTH:
            lines.append("\t")
        lines[-1] += f" {word}"
    return lines


def _spf(verdict: SpfVerdict) -> list[str]:
    name = "smtp.helo" if verdict.helo else "smtp.mailfrom"
    return [f"spf={verdict.result}", *_property(name, verdict.domain)]


def _dkim(verdict: DkimVerdict) -> list[str]:
    return [
        f"dkim={verdict.result}",
        *([f'reason="{verdict.reason}"'] if verdict.reason else []),
        *_property("header.d", verdict.domain),
        *_property("header.s", verdict.selector),
        *_property("header.a", verdict.algorithm),
        *_property("header.b", verdict.start),
    ]


def _dmarc(verdict: DmarcVerdict) -> list[str]:
    policy = [f"(p={verdict.policy})"] if verdict.policy is not None else []
    return [f"dmarc={verdict.result}", *policy, *_property("header.from", verdict.domain)]


def _property(name: str, value: str) -> list[str]:
    if not value:
        return []
    return [f"{name}={value}" if _TOKEN.fullmatch(value) else f'{name}="{value}"']


def without_claims(header: Header, hosts: Collection[str]) -> Header:
    """Return *header* without fields that somebody else wrote in our name (§5).

    What cannot be read goes too: others might read our name in it.

    :param hosts: our names; case and a final dot do not matter.
    """
    ours = {_alike(host) for host in hosts}
    return Header(tuple(field for field in header.fields if field.name != FIELD or not _claims(field, ours)))


def _claims(field: Field, ours: Collection[str]) -> bool:
    name = authserv_id(field.value)
    return name is None or _alike(name) in ours


def _alike(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold().rstrip(".")


def authserv_id(value: str) -> str | None:
    """Return the name at the beginning of a field's value (§2.2), or None where it is not as it should be."""
    at = _skip(value, 0)
    quoted = _QUOTED.match(value, at) if at is not None else None
    match = quoted or (_WORD.match(value, at) if at is not None else None)
    if match is None:
        return None
    name = re.sub(r"\\(.)", r"\1", quoted[1]).strip() if quoted else match[0]
    at = _skip(value, match.end())
    if at is not None:
        at = _skip(value, _past(_VERSION, value, at))
    # A name of nothing is none.
    return (name or None) if at is not None and value[at : at + 1] in ("", ";") else None


def _skip(value: str, at: int) -> int | None:
    """Return where white space and comments, which may hold comments, end; None where one does not."""
    depth = 0
    while True:
        if depth == 0:
            at = _past(_SPACE, value, at)
            if value[at : at + 1] != "(":
                return at
        found = _COMMENT.search(value, at)
        if found is None:
            return None
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        at = found.end()


def _past(pattern: re.Pattern[str], value: str, at: int) -> int:
    match = pattern.match(value, at)
    return match.end() if match is not None else at
