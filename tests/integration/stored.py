"""Rows of ClickHouse as the sink stores them, from records as stitch and identify publish them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from clickhouse_connect.driver.client import Client

from pipeline.domain.messages import Assignment
from pipeline.domain.scores import NO_SCORES, ScoreRow
from pipeline.domain.scoring import MARKS
from pipeline.stitch.outputs import score as score_record
from pipeline.store import rows, writer

START = 1_700_000_000_000
offsets = count()  # of all output records of a test run: later ones are newer


def put(client: Client, table: rows.Table, *records: dict[str, Any], at: int | None = None) -> None:
    """Store the records in one block, newer than all before, or at an offset."""
    stored = [rows.Stored(rows.version(1, next(offsets) if at is None else at), record) for record in records]
    writer.Writer(client, table).insert(table.columns_of(stored))


def asked(client: Client, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in client.query(sql, parameters=parameters).result_rows]


def identity(identifier: str, assignment: Assignment) -> dict[str, Any]:
    """The record that `identify` publishes."""
    return {
        "identifier": identifier,
        "version": assignment.version,
        "person": assignment.owners[0] if len(assignment.owners) == 1 else identifier,
        "until": assignment.until,
        "ambiguous": assignment.ambiguous,
        "owners": list(assignment.owners),
        "candidates": list(assignment.candidates),
        "sessions": assignment.sessions,
    }


def score(person: str, day: int, definition: int = 1, **values: float) -> dict[str, Any]:
    record: dict[str, Any] = score_record(ScoreRow(person, day, definition, NO_SCORES))
    for d in rows.DIMENSIONS:
        given_ = values.get(d)
        record |= {d: given_, f"{d}_n": int(given_ is not None), f"{d}_kind": "" if given_ is None else "asked"}
    return record


def cell(start: int, partition: int, definition: int, values: Sequence[float], interactions: int) -> dict[str, Any]:
    record: dict[str, Any] = {
        "window_start": start,
        "touchpoint": "queue",
        "channel": "phone",
        "partition": partition,
        "definition": definition,
        "interactions": interactions,
        **dict.fromkeys(MARKS, 0),
    }
    for d in rows.DIMENSIONS:
        for kind in ("asked", "observed"):
            of = values if (d, kind) == ("ease", "asked") else ()
            record |= {
                f"{d}_{kind}_n": len(of),
                f"{d}_{kind}_sum": float(sum(of)),
                f"{d}_{kind}_sum2": float(sum(x * x for x in of)),
            }
    return record


def alert(**given: Any) -> dict[str, Any]:
    """A record of the schema `alert`, with what it says by default."""
    never = ("closed_at", "since", "value", "low", "high", "acknowledged_at", "escalated_at", "ceased_at")
    return dict.fromkeys(rows.ALERTS.columns, "") | dict.fromkeys(never) | {"n": 0, "updated_at": 0} | given
