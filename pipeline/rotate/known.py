"""What `identify` remembers (see its `entries`, `known`, `orders`, `erasing`, `waiting`), under another key. Pure."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import structs

from pipeline.domain.renaming import Renaming
from pipeline.identify.forgetting import PLACES, decode_chore
from pipeline.rotate.profiles import UnknownRecord

_unpack = msgspec.msgpack.Decoder().decode
_pack = msgspec.msgpack.Encoder().encode


def renamed(key: bytes, value: bytes, renaming: Renaming) -> tuple[bytes, bytes]:
    """A record of identify's state as it is to be. Raises UnknownRecord."""
    make = _KEYS.get(key[:1])
    if make is None:
        raise UnknownRecord(f"a record of identify of the kind {key[:1]!r}")
    remake = _VALUES.get(key[:1], _packed)
    return key[:1] + make(key[1:], renaming), remake(value, renaming)


def _same(rest: bytes, _renaming: Renaming) -> bytes:
    return rest


def _texts(rest: bytes, renaming: Renaming) -> bytes:
    """Identifiers, and what else there is, with NUL between them."""
    return "\0".join(map(renaming.text, rest.decode().split("\0"))).encode()


def _seal(rest: bytes, renaming: Renaming) -> bytes:
    return renaming.seal(rest)


def _packed(value: bytes, renaming: Renaming) -> bytes:
    return renaming.packed(value)


def _page(value: bytes, _renaming: Renaming) -> bytes:
    """What is below an identifier stands in another order by its new names: it is begun with again."""
    _, *how = _unpack(value)
    return _pack(("", *how))


def _chore(value: bytes, _renaming: Renaming) -> bytes:
    """The same of what is to be taken away."""
    return _pack(structs.replace(decode_chore(value), place=PLACES[0], after=""))


def _seals(value: bytes, renaming: Renaming) -> bytes:
    return _pack([renaming.seal(each) for each in _unpack(value)])


#: Every kind of record, and how what stands behind the kind in its key is made anew.
_KEYS: dict[bytes, Callable[[bytes, Renaming], bytes]] = {
    **dict.fromkeys((b"i", b"u", b"b", b"s", b"t", b"d", b"p", b"k", b"a", b"w", b"v", b"j", b"c"), _texts),
    b"z": _seal,
    **dict.fromkeys((b"n", b"o", b"q", b"e", b"f", b"r", b"g"), _same),  # their keys are numbers and the ids of orders
}
#: And its value, where that is not MessagePack with texts in it.
_VALUES: dict[bytes, Callable[[bytes, Renaming], bytes]] = {b"v": _page, b"j": _chore, b"c": _seals}
KINDS = frozenset(_KEYS)
