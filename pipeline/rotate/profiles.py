"""The records of profiles (`domain/records.py`) under another identifier key. Pure.

A profile's records are renamed one by one, so that a profile of any size is renamed in small transactions, and what a
killed run has left is renamed by the next. Only the hashed sessions of an alias need more than themselves: the alias
in clear. So aliases are handed out after the sessions of their profile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from pipeline.domain import records
from pipeline.domain.records import NAME_BYTES
from pipeline.domain.renaming import Renaming


class UnknownRecord(ValueError):
    """A record of a kind that cannot be renamed: it was written by another version. Says which kind."""


class Renamed(NamedTuple):
    """One record before and after."""

    before: bytes  # key
    profile: str  # after
    key: bytes
    value: bytes
    former: bytes  # value

    @property
    def changed(self) -> bool:
        """Whether there is anything to write."""
        return self.key != self.before or self.value != self.former

    @property
    def moves(self) -> bool:
        """Whether the profile itself is renamed, so that its records may belong to another partition."""
        return not self.before.startswith(records.prefix(self.profile))


def parts(key: bytes) -> tuple[str, bytes, bytes]:
    """A profile record's (identifier, kind, suffix)."""
    identifier, _, rest = key[1:].partition(b"\0")
    return identifier.decode(), rest[:1], rest[1:]


def renamed(found: Iterable[tuple[bytes, bytes]], renaming: Renaming) -> Iterator[Renamed]:
    """All records of profiles, in key order, as they are to be. Raises UnknownRecord."""
    identifier, profile = "", ""
    held: list[Renamed] = []  # the aliases of that profile, until its sessions are through
    weak: dict[bytes, bytes] = {}  # hash of an alias → of its new name
    for key, value in found:
        name, kind, suffix = parts(key)
        if name != identifier:
            yield from held
            held, weak = [], {}
            identifier, profile = name, renaming.text(name)
        elif kind > records.SESSION and held:
            yield from held
            held = []
        after = renaming.packed(value)
        new = _suffix(kind, suffix, value, after, renaming, weak)
        one = Renamed(key, profile, records.prefix(profile) + kind + new, after, value)
        if kind == records.ALIAS:
            held.append(one)
        else:
            yield one
    yield from held


def _suffix(
    kind: bytes, suffix: bytes, before: bytes, after: bytes, renaming: Renaming, weak: dict[bytes, bytes]
) -> bytes:
    make = _SUFFIXES.get(kind)
    if make is None:
        raise UnknownRecord(f"a profile record of the kind {kind!r}")
    return make(suffix, before, after, renaming, weak)


_Suffix = Callable[[bytes, bytes, bytes, Renaming, dict[bytes, bytes]], bytes]


def _same(suffix: bytes, _before: bytes, _after: bytes, _renaming: Renaming, _weak: Mapping[bytes, bytes]) -> bytes:
    return suffix


def _sender(suffix: bytes, before: bytes, after: bytes, _renaming: Renaming, _weak: Mapping[bytes, bytes]) -> bytes:
    if before == after:
        return suffix
    return records.name(records.decode_sender(after).identifier)


def _lent(suffix: bytes, before: bytes, after: bytes, _renaming: Renaming, _weak: Mapping[bytes, bytes]) -> bytes:
    if before == after:
        return suffix
    return records.name(records.decode_lent(after).interaction.identifier) + suffix[NAME_BYTES:]


def _alias(suffix: bytes, _before: bytes, _after: bytes, renaming: Renaming, weak: dict[bytes, bytes]) -> bytes:
    old = suffix.decode()
    new = renaming.text(old)
    if new != old:
        weak[records.name(old)] = records.name(new)
    return new.encode()


def _session(suffix: bytes, _before: bytes, _after: bytes, _renaming: Renaming, weak: Mapping[bytes, bytes]) -> bytes:
    alias = suffix[:NAME_BYTES]
    return weak.get(alias, alias) + suffix[NAME_BYTES:]


#: Every kind of record, and how what stands behind the kind in its key is made anew.
_SUFFIXES: dict[bytes, _Suffix] = {
    records.HEAD: _same,
    records.ASSIGNMENT: _same,
    records.KEPT: _same,
    records.SEEN: _same,
    records.SENDER: _sender,
    records.LENT: _lent,
    records.ALIAS: _alias,
    records.SESSION: _session,
    records.LEDGER: _same,
}
KINDS = frozenset(_SUFFIXES)
