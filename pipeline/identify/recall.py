"""What outlives even the state: orders that hold and seals of the erased, in the compacted topic identity.orders.

A stage that begins from nothing (its changelog is gone, and all events are read anew) reads them first: so what was
erased stays erased, what was parted stays parted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from pipeline.domain.recalled import Share
from pipeline.identify.forgetting import renew
from pipeline.identify.known import Known
from pipeline.identify.orders import Ordered, keep
from pipeline.identify.records import Erasure


class Recalled(msgspec.Struct, omit_defaults=True):
    """One record of identity.orders, as JSON. Of an erasure: seals, and nobody's name; of a share as `Share`."""

    kind: str  # 'join', 'part', 'free', 'erase' or 'share': how the erased person shared one identifier
    order_id: str
    number: int
    said: dict[str, Any] = {}
    before: int = 0  # ms
    blocked: bool = False
    seals: list[str] = []  # in hex, as all seals here
    person: str = ""  # and what follows: of a share
    at: int | None = None  # ms
    by: list[str] = []
    whole: bool = False
    until: int | None = None  # ms
    theirs: list[str] = []
    others: list[str] = []
    renewed: str = ""  # and what follows: of a freeing, as of `Ordered`
    past: bool = False


_encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Recalled).decode


def order(ordered: Ordered) -> bytes:
    """An accepted order as a record."""
    head = (ordered.kind, ordered.order_id, ordered.number, ordered.said)
    return _encode(Recalled(*head, renewed=ordered.renewed, past=ordered.past))


def erasure(ordered: Ordered, before: int, blocked: bool, seals: Iterable[bytes]) -> bytes:
    """An erasure as a record; also the order that ends a blocking."""
    hexed = [seal.hex() for seal in seals]
    return _encode(Recalled("erase", ordered.order_id, ordered.number, before=before, blocked=blocked, seals=hexed))


def shared(ordered: Ordered, seal: bytes, share: Share) -> tuple[str, bytes]:
    """What an erased person had of the identifier with that seal: the record's key, and the record."""
    by, theirs, others = (sorted(each.hex() for each in seals) for seals in (share.by, share.theirs, share.others))
    said = {"person": share.person, "at": share.at, "by": by, "whole": share.whole, "until": share.until}
    record = Recalled("share", ordered.order_id, ordered.number, seals=[seal.hex()], theirs=theirs, others=others)
    return f"{ordered.order_id}/{seal.hex()}", _encode(msgspec.structs.replace(record, **said))


def apply(known: Known, recalled: Iterable[Recalled]) -> None:
    """Let them hold, before there is any evidence."""
    known.counters.anew = True
    for each in sorted(recalled, key=lambda one: one.number):
        known.counters.orders = max(known.counters.orders, each.number)
        if each.kind == "erase":
            _erase(known, each)
            continue
        if each.kind == "share":  # stitch tells of it, where it reads what was shared
            continue
        said = each.said
        if each.kind == "join":
            record = known.change(said["from_id"])
            record.joined, record.joined_by = said["into_id"], each.order_id
            known.depends(said["from_id"], said["into_id"], holds=True)
            known.pending.add(said["from_id"])
        elif each.kind == "part":
            known.change(said["identifier"]).parted[said["person"]] = each.order_id
            known.depends(said["identifier"], said["person"], holds=True)
        elif each.kind == "free":
            _free(known, each)
        ordered = Ordered(each.order_id, each.number, each.kind, "accepted", said=said)
        ordered.renewed, ordered.past = each.renewed, each.past
        keep(known.state, ordered)


def _free(known: Known, each: Recalled) -> None:
    identifier, at = each.said["identifier"], int(each.said["at"])
    record = known.change(identifier)
    record.freed = record.freed or each.order_id
    if each.renewed:
        renew(known, identifier, at, each.renewed == "public", each.number)
        record.past = record.past or each.past
        record.renewals.append(each.order_id)


def _erase(known: Known, each: Recalled) -> None:
    for text in each.seals:
        seal = bytes.fromhex(text)
        before = max(each.before, known.erased_before(seal))
        known.set_erasure(seal, Erasure(before, each.blocked, each.number))
