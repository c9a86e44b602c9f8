"""What `identify` remembers (`identify/known.py`, `orders.py`, `erasing.py`), under another identifier key. Pure."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.domain.renaming import Renaming
from pipeline.rotate.profiles import UnknownRecord


def renamed(key: bytes, value: bytes, renaming: Renaming) -> tuple[bytes, bytes]:
    """A record of identify's state as it is to be. Raises UnknownRecord."""
    make = _KEYS.get(key[:1])
    if make is None:
        raise UnknownRecord(f"a record of identify of the kind {key[:1]!r}")
    return key[:1] + make(key[1:], renaming), renaming.packed(value)


def _same(rest: bytes, _renaming: Renaming) -> bytes:
    return rest


def _texts(rest: bytes, renaming: Renaming) -> bytes:
    """Identifiers, and what else there is, with NUL between them."""
    return "\0".join(map(renaming.text, rest.decode().split("\0"))).encode()


def _seal(rest: bytes, renaming: Renaming) -> bytes:
    return renaming.seal(rest)


#: Every kind of record, and how what stands behind the kind in its key is made anew.
_KEYS: dict[bytes, Callable[[bytes, Renaming], bytes]] = {
    **dict.fromkeys((b"i", b"s", b"d", b"k", b"a"), _texts),
    b"z": _seal,
    **dict.fromkeys((b"n", b"o", b"q", b"e"), _same),  # their keys are counters and the ids of orders
}
KINDS = frozenset(_KEYS)
