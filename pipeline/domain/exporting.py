"""Everything that is kept under one identifier, as JSON values for the person whom it is about.

Left out is what speaks of others only: who else has copies, and what a shared identifier's word gives to them.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from pipeline.domain import records
from pipeline.domain.messages import Assignment
from pipeline.domain.state import Reading

Json = dict[str, Any]


def items(state: Reading, identifier: str, after: str) -> Iterator[tuple[bytes, Json]]:
    """(key, `{"kind", "value"}`) of every record of a profile, behind a cursor. Raises ValueError where it is none."""
    start = records.prefix(identifier)
    behind = start + _place(after) if after else b""
    for key, value in state.scan(start, behind):
        suffix = key[len(start) :]
        kind, read = _KINDS[suffix[:1]]
        yield suffix, {"kind": kind, "value": read(identifier, suffix[1:], value)}


def cursor(suffix: bytes) -> str:
    """Where an export goes on, as opaque text."""
    return urlsafe_b64encode(suffix).decode()


def _place(text: str) -> bytes:
    try:
        return urlsafe_b64decode(text)
    except ValueError as problem:
        raise ValueError("not a place in an export") from problem


def plain(value: Any) -> Any:
    """Structs as maps of their fields, as deep as they go."""
    if isinstance(value, msgspec.Struct):
        return {name: plain(each) for name, each in msgspec.structs.asdict(value).items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    return value


def _theirs(assignment: Assignment, person: str) -> Json:
    """What an assignment says of one person."""
    return {
        "version": assignment.version,
        "shared": len(assignment.owners) > 1,
        "sessions": sorted(session for session, owner in assignment.sessions.items() if owner == person),
    }


def _kept(_identifier: str, _suffix: bytes, value: bytes) -> Json:
    kept = records.decode_kept(value)
    return {"interaction": plain(kept.interaction), "evidence": plain(kept.experience)}


def _seen(_identifier: str, suffix: bytes, value: bytes) -> Json:
    seen = plain(records.decode_seen(value))
    del seen["told"]
    return {**seen, "event": suffix.hex()}


def _assignment(identifier: str, _suffix: bytes, value: bytes) -> Json:
    assignment = records.decode_assignment(value)
    owner = assignment.owners[0] if len(assignment.owners) == 1 else None
    return {"person": owner, **_theirs(assignment, identifier), "ambiguous": assignment.ambiguous}


def _sender(identifier: str, _suffix: bytes, value: bytes) -> Json:
    sender = records.decode_sender(value)
    return {"identifier": sender.identifier, **_theirs(sender.assignment, identifier)}


Reader = Callable[[str, bytes, bytes], Any]
_KINDS: dict[bytes, tuple[str, Reader]] = {
    records.HEAD: ("profile", lambda _id, _suffix, value: plain(records.decode_head(value))),
    records.ASSIGNMENT: ("assignment", _assignment),
    records.KEPT: ("interaction", _kept),
    records.SEEN: ("interaction known only to tell copies", _seen),
    records.SENDER: ("identifier of the person", _sender),
    records.LENT: ("copy of an interaction", lambda _id, _suffix, value: plain(records.decode_lent(value))),
    records.ALIAS: (
        "identifier that came along",
        lambda _id, suffix, value: {"identifier": suffix.decode(), **plain(records.decode_alias(value))},
    ),
    records.SESSION: (
        "session with evidence of identity",
        lambda _id, suffix, value: {"hash": suffix.hex(), "at": records.decode_time(value)},
    ),
    records.LEDGER: ("evidence for scores", lambda _id, _suffix, value: plain(records.decode_ledger(value))),
}
