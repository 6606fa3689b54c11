"""Signed notes (C2SP signed-note): a text and signatures under it. Keys sign and check elsewhere."""

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from cjsm.ledger.errors import Malformed

#: A note is refused beyond this, before anything in it is looked at.
LONGEST = 65_536
_SIGNATURES = 100
_ID = 4
_DIGITS = 18
_ED25519 = b"\x01"
_DASH = "\N{EM DASH} "
#: Octets of an Ed25519 public key.
_PUBLIC = 32


class NoteKey(Struct, frozen=True):
    """Whoever signs under *name* with the Ed25519 key whose public half this is."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """The four octets that signatures name it by."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:_ID]

    @property
    def text(self) -> str:
        """The line that people are given, to check notes with: name, id and key."""
        return f"{self.name}+{self.id.hex()}+{encoded(_ED25519 + self.public)}"

    @classmethod
    def parse(cls, text: str) -> "NoteKey":
        """Return the key that :attr:`text` wrote.

        :raises Malformed: when it is none.
        """
        name, plus, rest = text.strip().partition("+")
        told, second, key = rest.partition("+")
        octets = decoded(key)
        if not (name and plus and second) or octets[:1] != _ED25519 or len(octets) != 1 + _PUBLIC:
            raise Malformed(
                "this is no key of a ledger", "a key is one line: name+id+key, as `cjsm audit keys` shows it"
            )
        made = cls(name, octets[1:])
        if made.id.hex() != told:
            raise Malformed("the id of this key is not its own", "copy the whole line that `cjsm audit keys` shows")
        return made


class Signature(Struct, frozen=True):
    """One signature line: under which name, by the key with which id."""

    name: str
    id: bytes
    octets: bytes


class Note(Struct, frozen=True):
    """A *text* that ends with a line feed, and its signatures."""

    text: str
    signatures: tuple[Signature, ...]

    def __bytes__(self) -> bytes:
        """The note as it is written."""
        lines = (f"{_DASH}{each.name} {encoded(each.id + each.octets)}\n" for each in self.signatures)
        return f"{self.text}\n{''.join(lines)}".encode()


def sign(text: str, keys: Iterable[tuple[NoteKey, Callable[[bytes], bytes]]]) -> Note:
    """Return the note with *text*, signed by each of *keys*, which come with what signs."""
    return Note(text, tuple(Signature(key.name, key.id, make(text.encode())) for key, make in keys))


def parse(octets: bytes) -> Note:
    """Return the note that was written as *octets*.

    :raises Malformed: when it is none.
    """
    if len(octets) > LONGEST:
        raise Malformed(f"a note has at most {LONGEST} octets")
    try:
        told = octets.decode()
    except UnicodeDecodeError:
        raise Malformed("a note is UTF-8 text") from None
    if any(each < " " and each != "\n" for each in told):
        raise Malformed(
            "a note has no control characters", "give the file as it was written, with lines that end in LF"
        )
    text, gap, under = told.rpartition("\n\n")
    lines = under.split("\n")
    if not gap or not text or lines.pop() or not 0 < len(lines) <= _SIGNATURES:
        raise Malformed("a note is text, an empty line and signatures")
    return Note(f"{text}\n", tuple(_signature(line) for line in lines))


def _signature(line: str) -> Signature:
    name, gap, value = line.removeprefix(_DASH).partition(" ")
    octets = decoded(value)
    if not line.startswith(_DASH) or not gap or not name or "+" in name or len(octets) <= _ID:
        raise Malformed("a signature is a dash, a name and the signature, with spaces between")
    return Signature(name, octets[:_ID], octets[_ID:])


def check(note: Note, keys: Sequence[NoteKey], verify: Callable[[bytes, bytes, bytes], None]) -> list[NoteKey]:
    """Return which of *keys* signed *note*. What others signed is left alone.

    :param verify: checks a public key, a signature and a text; raises when it does not hold.
    :raises Malformed: when none of *keys* did.
    """
    known = {(key.name, key.id): key for key in keys}
    signed = []
    for signature in note.signatures:
        key = known.get((signature.name, signature.id))
        if key is not None:
            verify(key.public, signature.octets, note.text.encode())
            signed.append(key)
    if not signed:
        raise Malformed("no key that is trusted signed this", "give the ledger's own keys: `cjsm audit keys`")
    return signed


def encoded(octets: bytes) -> str:
    """Return *octets* in base64."""
    return base64.b64encode(octets).decode("ascii")


def decoded(text: str) -> bytes:
    """Return the octets that *text* is in base64, of which each has one form.

    :raises Malformed: when it is not.
    """
    try:
        octets = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        octets = b""
    if encoded(octets) != text:
        raise Malformed("what should be base64 is not")
    return octets


def number(digits: str) -> int:
    """Return the number that *digits* are, of which each has one form: 18 at most, and no zeros in front.

    :raises Malformed: when they are none.
    """
    if len(digits) > _DIGITS or not (digits.isascii() and digits.isdecimal()) or digits != str(int(digits)):
        raise Malformed("what should be a number is not")
    return int(digits)
