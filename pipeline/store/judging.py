"""Batches of a topic that others than we may write: each record is judged, and a bad one stops nobody.

What cannot be used becomes a row of `rejected`, as with interactions: its place, its reason, and no bytes; those stay
in the topic. It is counted and logged. What is of somebody who was erased becomes nothing, and is counted. Pure but for
that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from aiokafka import ConsumerRecord

from pipeline import logs, metrics, wire
from pipeline.domain.reasons import Reason, Rejected
from pipeline.store import rows
from pipeline.store.rows import Block, Dropped, Grounds, Judge, Record, Stored, Table

_REASONS = {
    wire.UnknownSchema: Reason.UNKNOWN_SCHEMA,
    wire.BrokenAvro: Reason.BROKEN_AVRO,
    wire.Oversize: Reason.OVERSIZE,
}

_REFUSED: dict[str, metrics.Count] = {
    rows.OBSERVATIONS.name: metrics.OBSERVATIONS_REJECTED,
    rows.OUTCOMES.name: metrics.OUTCOMES_REJECTED,
    rows.CHANGES.name: metrics.CHANGES_REJECTED,
}

_log = logs.get("store")


def block(
    table: Table,
    judge: Judge,
    codec: wire.Codec,
    layout_epoch: int,
    records: Sequence[ConsumerRecord],
    grounds: Grounds,
) -> Block:
    """What a batch does to its table. Of identifiers nothing is remembered afterwards."""
    stored: list[Stored] = []
    refused: list[Stored] = []
    reasons: Counter[str] = Counter()
    for each in records:
        version = rows.version(layout_epoch, each.offset)
        try:
            stored.append(Stored(version, _judged(table, judge, codec, each, grounds)))
        except Dropped as why:
            metrics.OUTCOMES_DROPPED.labels(str(why)).inc()
        except Rejected as why:
            reasons[why.reason.value] += 1
            refused.append(Stored(version, _letter(each, why)))
    grounds.keyring.forget()
    if not refused:
        return Block(table.columns_of(stored), {})
    for reason, count in reasons.items():
        _REFUSED[table.name].labels("store", reason).inc(count)
    first = refused[0].record
    _log.warning("refused", table=table.name, first=first["id"], detail=first["detail"], **reasons)
    return Block(table.columns_of(stored), {}, rows.REJECTED.columns_of(refused))


def _judged(table: Table, judge: Judge, codec: wire.Codec, record: ConsumerRecord, grounds: Grounds) -> Record:
    """What is kept of a record. Raises Rejected, Dropped."""
    if record.value is None:
        raise Rejected(Reason.TOMBSTONE)
    try:
        schema, said = codec.decode(record.value)
    except (wire.UnknownSchema, wire.BrokenAvro, wire.Oversize) as problem:
        raise Rejected(_REASONS[type(problem)], str(problem)) from problem
    if schema != table.schema:
        raise Rejected(Reason.UNKNOWN_SCHEMA, f"{schema} does not belong on this topic")
    return judge(said, record.timestamp, grounds)


def _letter(record: ConsumerRecord, why: Rejected) -> dict[str, Any]:
    """A record of the schema `rejected`."""
    return {
        "id": f"{record.topic}/{record.partition}/{record.offset}",
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "reason": why.reason.value,
        "detail": why.detail,
        "key": record.key,
        "value": record.value,
    }
