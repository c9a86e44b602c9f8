"""Identifiers: from what a source sent to the one text under which a profile lives.

Two spellings of the same thing must give the same identifier (NFKC, lower-case e-mail, phone in E.164), and what many
people share by accident (`null`, `guest`, zeros) must give none. A phone number or e-mail address leaves this module
only as a keyed hash, and as a mask that people may see.

Decisions
- 2026-11-24 So does one that stands in any other namespace, as with a shop whose customers' numbers are their
  addresses: `customer:k1.…`. A value that only holds one among other things is keyed as it is.
- 2026-11-27 A phone number or e-mail address may come back in the keyed form in which it was given out: an agent's note
  on somebody who is known by their number alone is an event like any other, and serve does not know the number.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import phonenumbers

from pipeline.domain import texts
from pipeline.domain.interaction import NAMESPACES
from pipeline.domain.policy import NO_PLACEHOLDERS, Placeholders
from pipeline.domain.reasons import Reason, Rejected

VALUE_CHARS_MAX = 256
EMAIL_CHARS_MAX = 254  # RFC 5321
EMAIL_LOCAL_CHARS_MAX = 64  # the same
KEY_BYTES_MIN = 16
SEAL_BYTES = 16
GENERATIONS_MAX = 255  # of keys: a seal says in one byte which it is of
CACHE_ENTRIES = 65_536  # some 25 MB when full
HIDDEN = "•••"  # what people see of an identifier that holds personal data and more

#: Known by people, so never stored in clear.
PERSONAL = frozenset({"email", "phone"})

_NOTHING = re.compile(r"[0\s.:_+-]+")  # all zeros, however they are set
_KEYED = re.compile(r"[a-z0-9]{1,16}\.[0-9a-f]{32}")
_KEY_NAME = re.compile(r"[a-z0-9]{1,16}")
_KEYED_ID = re.compile(r"([a-z]+):([a-z0-9]{1,16})\.[0-9a-f]{32}")


class Known(NamedTuple):
    """An identifier, and what people may see of it ('' where it may be seen as it is)."""

    identifier: str
    mask: str


class Keyring:
    """The secrets that key personal identifiers, by name and in the order they were made; `current` keys new ones.

    The first key is applied to the value; each later one to the seal of the identifier under the key before it. So an
    identifier under an older key leads to the one under the current key without the value, and so does a seal, which
    is all that is known of somebody who was erased (2026-11-24). Without the later key, nothing leads there.

    Remembers what it has worked out (bounded), since the same people come again: parsing a phone number costs more
    than all the rest of an event.
    """

    def __init__(
        self,
        keys: Mapping[str, bytes],
        current: str,
        sealing: bytes = b"",
        placeholders: Placeholders = NO_PLACEHOLDERS,
    ) -> None:
        """`sealing` never changes; `placeholders` are the policy's, for those who take in what sources say.

        Raises ValueError where a key is short, badly named, or the current one missing.
        """
        for name, key in keys.items():
            if not _KEY_NAME.fullmatch(name):
                raise ValueError(f"the name of an identifier key must be 1 to 16 of a-z and 0-9, not {name!r}")
            if len(key) < KEY_BYTES_MIN:
                raise ValueError(f"identifier key {name} must have at least {KEY_BYTES_MIN} bytes")
        if current not in keys:
            raise ValueError(f"the current identifier key {current!r} is not among the keys")
        if len(keys) > GENERATIONS_MAX:
            raise ValueError(f"there can be {GENERATIONS_MAX} identifier keys at most, not {len(keys)}")
        if sealing and len(sealing) < KEY_BYTES_MIN:
            raise ValueError(f"the sealing key must have at least {KEY_BYTES_MIN} bytes")
        self._keys = dict(keys)
        self._generations = {name: place for place, name in enumerate(keys, 1)}
        self._names = tuple(keys)[: self._generations[current]]  # up to the current one
        if len(self._names) > 1 and not sealing:
            raise ValueError("with several identifier keys a sealing key is needed")
        self._sealing = sealing
        self._hiding = sealing or next(iter(keys.values()))  # the first key stays too
        self._placeholders = placeholders
        self.resolve = lru_cache(maxsize=CACHE_ENTRIES)(self._resolve)
        self.current_of = lru_cache(maxsize=CACHE_ENTRIES)(self._current_of)
        self.pseudonym = lru_cache(maxsize=CACHE_ENTRIES)(self._pseudonym)

    def forget(self) -> int:
        """Remember nothing of what was worked out so far; returns how much that was."""
        caches = (self.resolve, self.current_of, self.pseudonym)
        held = sum(each.cache_info().currsize for each in caches)
        for each in caches:
            each.cache_clear()
        return held

    @property
    def current(self) -> str:
        """The name of the key that new identifiers get."""
        return self._names[-1]

    @property
    def older(self) -> tuple[str, ...]:
        """The names of the keys that new identifiers got before."""
        return self._names[:-1]

    def identify(self, namespace: str, clean: str) -> str:
        """The identifier of a value that `clean` gave: `namespace:value`, keyed where it is personal."""
        return self.keyed(namespace, clean) if namespace in PERSONAL else f"{namespace}:{clean}"

    def keyed(self, namespace: str, clean: str) -> str:
        """The keyed identifier of a value in whatever namespace."""
        first = self._names[0]
        digest = hmac.digest(self._keys[first], f"{namespace}:{clean}".encode(), "sha256")[:16]
        return self._advanced(namespace, first, digest.hex())

    def opaque(self, text: str) -> str:
        """What stands for an id or name that holds personal data: always the same, and nothing leads back."""
        return f"hashed-{self._hidden('text', text)}"

    def _pseudonym(self, kind: str, value: str) -> str:
        """What stands for the name of one of that kind, as in `staff:3f…` (call it as `pseudonym`, which remembers)."""
        return f"{kind}:{self._hidden(kind, value)[:16]}"

    def _hidden(self, kind: str, text: str) -> str:
        """32 hex digits, by a key that never changes: no later one could be applied to what is stored of them."""
        return hmac.digest(self._hiding, f"{kind}\0{text}".encode("utf-8", "surrogatepass"), "sha256")[:16].hex()

    def generation(self, identifier: str) -> int:
        """The place of the key that keyed an identifier, from 1; 0 where none of the keys did."""
        found = _KEYED_ID.fullmatch(identifier)
        return self._generations.get(found[2], 0) if found else 0

    def seal(self, identifier: str) -> bytes:
        """16 bytes that stand for an identifier that must not be kept: only who holds the identifier finds them again.

        The last byte is its generation. Raises ValueError where there is no sealing key.
        """
        place = self.generation(identifier)
        return self._sealed(identifier.partition(":")[2] if place else identifier, place)

    def reseal(self, seal: bytes) -> bytes:
        """The seal under the current key of what a seal under it or an older one stands for."""
        for name in self._names[seal[-1] :] if seal[-1] else ():
            seal = self._sealed(self._next(name, seal), self._generations[name])
        return seal

    def behind(self, seal: bytes) -> tuple[str, ...]:
        """What a seal under an older key may stand for: an identifier under the current key for each namespace."""
        value = ""
        for name in self._names[seal[-1] :] if seal[-1] else ():
            value = self._next(name, seal)
            seal = self._sealed(value, self._generations[name])
        return tuple(f"{namespace}:{value}" for namespace in NAMESPACES) if value else ()

    def _current_of(self, identifier: str) -> str:
        """The same identifier under the current key (call it as `current_of`, which remembers)."""
        place = self.generation(identifier)
        if not 0 < place < len(self._names):
            return identifier
        namespace, _, value = identifier.partition(":")
        name, _, digest = value.partition(".")
        return self._advanced(namespace, name, digest)

    def _advanced(self, namespace: str, name: str, digest: str) -> str:
        """The identifier under the current key, from what it is under that one."""
        value = f"{name}.{digest}"
        for later in self._names[self._generations[name] :]:
            value = self._next(later, self._sealed(value, self._generations[later] - 1))
        return f"{namespace}:{value}"

    def _next(self, name: str, seal: bytes) -> str:
        return f"{name}.{hmac.digest(self._keys[name], seal, 'sha256')[:16].hex()}"

    def _sealed(self, text: str, place: int) -> bytes:
        if not self._sealing:
            raise ValueError("there is no sealing key")
        return hmac.digest(self._sealing, text.encode(), "sha256")[:15] + bytes((place,))

    def _resolve(self, namespace: str, value: str, region: str) -> Known:
        """Clean, key and mask in one go (call it as `resolve`, which remembers). Raises Rejected."""
        if namespace in PERSONAL and self.generation(given := f"{namespace}:{value}"):
            return Known(self.current_of(given), "")  # what we gave: its mask came with the value, some time ago
        cleaned = clean(namespace, value, region, self._placeholders)
        if namespace in PERSONAL:
            return Known(self.keyed(namespace, cleaned), mask(namespace, cleaned))
        if texts.holds(cleaned, region):  # a shop whose customers' numbers are their e-mail addresses
            kind, plain = self._spelled(cleaned, region)
            return Known(self.keyed(namespace, plain), mask(kind, plain) if kind else HIDDEN)
        return Known(self.current_of(f"{namespace}:{cleaned}"), "")  # a source may send back what we gave it: keyed

    def _spelled(self, value: str, region: str) -> tuple[str, str]:
        """(email, phone or '', its one spelling) of a value that holds personal data; itself where it is no more."""
        kind = "email" if "@" in value else "phone"
        try:
            return kind, clean(kind, value, region, self._placeholders)
        except Rejected as refused:
            if refused.reason is Reason.PLACEHOLDER_IDENTIFIER:
                raise
            return "", value


def clean(namespace: str, value: str, region: str, placeholders: Placeholders = NO_PLACEHOLDERS) -> str:
    """One spelling for all spellings of a value.

    `region` (ISO 3166, two letters) reads phone numbers without a country prefix.
    Raises Rejected: unknown_namespace, placeholder_identifier, bad_identifier.
    """
    if namespace not in NAMESPACES:
        raise Rejected(Reason.UNKNOWN_NAMESPACE, f"identifiers: none of {', '.join(NAMESPACES)}")
    if len(value) > VALUE_CHARS_MAX:
        raise Rejected(Reason.BAD_IDENTIFIER, f"identifiers.{namespace}: longer than {VALUE_CHARS_MAX} characters")
    text = value.strip() if value.isascii() else unicodedata.normalize("NFKC", value).strip()
    if len(text) > VALUE_CHARS_MAX:  # some single characters normalise to many
        raise Rejected(Reason.BAD_IDENTIFIER, f"identifiers.{namespace}: longer than {VALUE_CHARS_MAX} characters")
    if not text.isprintable():
        raise Rejected(Reason.BAD_IDENTIFIER, f"identifiers.{namespace}: holds control or invisible characters")
    if not text or text.lower() in placeholders.values or _NOTHING.fullmatch(text):
        raise Rejected(Reason.PLACEHOLDER_IDENTIFIER, f"identifiers.{namespace}: a placeholder")
    if namespace == "email":
        return _clean_email(text, placeholders.before_at)
    if namespace == "phone":
        return _clean_phone(text, region)
    return text


def _clean_email(text: str, placeholders: frozenset[str]) -> str:
    """A bare address in lower case. No more is checked than what tells an address from something else."""
    address = text.lower().removeprefix("mailto:")
    local, at, domain = address.rpartition("@")
    labels = domain.split(".")
    if not at or not 0 < len(local) <= EMAIL_LOCAL_CHARS_MAX or len(address) > EMAIL_CHARS_MAX:
        raise Rejected(Reason.BAD_IDENTIFIER, "identifiers.email: not an e-mail address")
    if len(labels) < 2 or not all(labels) or "@" in local or any(mark in address for mark in " <>,;"):
        raise Rejected(Reason.BAD_IDENTIFIER, "identifiers.email: not an e-mail address")
    if local in placeholders:
        raise Rejected(Reason.PLACEHOLDER_IDENTIFIER, "identifiers.email: a placeholder")
    return address


def _clean_phone(text: str, region: str) -> str:
    """E.164, with `;ext=` where the number has an extension: that is another desk, so another person."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException as problem:
        raise Rejected(Reason.BAD_IDENTIFIER, "identifiers.phone: not a phone number") from problem
    if not phonenumbers.is_possible_number(number):
        raise Rejected(Reason.BAD_IDENTIFIER, "identifiers.phone: not a possible phone number")
    if len(set(str(number.national_number))) == 1:
        raise Rejected(Reason.PLACEHOLDER_IDENTIFIER, "identifiers.phone: a placeholder")
    plain = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return f"{plain};ext={number.extension}" if number.extension else plain


def mask(namespace: str, clean: str) -> str:
    """What people may see of a cleaned value: `+1 ••• ••42`, `a•••@e•••.com`; the value itself if not personal."""
    if namespace == "phone":
        number = phonenumbers.parse(clean, None)
        return f"+{number.country_code} ••• ••{str(number.national_number)[-2:]}"
    if namespace == "email":
        local, _, domain = clean.rpartition("@")
        return f"{local[0]}•••@{domain[0]}•••.{domain.rpartition('.')[2]}"
    return clean


def parse_id(text: str) -> str:
    """The identifier that stands in a path: `customer:4711`, or the keyed `phone:k1.9f…`. Raises Rejected."""
    namespace, _, value = text.partition(":")
    if namespace in PERSONAL:
        if not _KEYED.fullmatch(value):
            raise Rejected(Reason.BAD_IDENTIFIER, f"{namespace}: only its keyed form may stand here")
        return text
    cleaned = clean(namespace, value, "")
    if texts.holds(cleaned, ""):
        raise Rejected(Reason.BAD_IDENTIFIER, f"{namespace}: holds personal data: only its keyed form may stand here")
    return f"{namespace}:{cleaned}"
