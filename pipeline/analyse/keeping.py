"""Results in ClickHouse. Rows go first and their analysis last, so that no query sees an analysis by halves; then what
the same analysis came to before is deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from clickhouse_connect.driver.client import Client

from pipeline.analyse.result import Result, Row, analysis_id

_ANALYSIS = (
    *("analysis_id", "kind", "version", "definition", "period_from", "period_to", "computed_at", "n", "seed"),
    *("parameters", "caveats", "refused"),
)
_ROW = ("analysis_id", "computed_at", "position", "item", "label", "figures", "notes")
_AT_ONCE = {"async_insert": 0}  # it is there when the insert returns
_NEWEST = """SELECT analysis_id, version, definition, period_from, period_to, computed_at, n, seed, parameters, caveats,
        refused
    FROM analyses_newest WHERE kind = {kind:String} AND of = {of:String}"""
_ROWS = """SELECT item, label, figures, notes FROM analysis_rows FINAL
    WHERE analysis_id = {id:String} AND computed_at = {at:DateTime64(3, 'UTC')} ORDER BY position"""

_DELETE = """ALTER TABLE analysis_rows DELETE
    WHERE analysis_id = {id:String} AND computed_at < {at:DateTime64(3, 'UTC')}"""


def keep(client: Client, result: Result, now_ms: int) -> None:
    """Store a result in the place of the same analysis before. Raises the driver's errors; it may be repeated."""
    of, at = analysis_id(result), datetime.fromtimestamp(now_ms / 1000, UTC)
    rows = [
        (of, at, position, row.item, row.label, dict(row.figures), dict(row.notes))
        for position, row in enumerate(result.rows, 1)
    ]
    if rows:
        client.insert("analysis_rows", rows, list(_ROW), settings=_AT_ONCE)
    analysis = (
        *(of, result.kind, result.version, result.definition, result.period_from, result.period_to, at, result.n),
        *(result.seed, dict(result.parameters), list(result.caveats), result.refused),
    )
    client.insert("analyses", [analysis], list(_ANALYSIS), settings=_AT_ONCE)
    client.command(_DELETE, {"id": of, "at": at}, settings={"mutations_sync": 1})


def newest(client: Client, kind: str, of: str = "") -> Result | None:
    """The result that was computed last; None where there is none. Raises the driver's errors."""
    found = client.query(_NEWEST, {"kind": kind, "of": of}).result_rows
    if not found:
        return None
    id_, version, definition, since, until, at, n, seed, parameters, caveats, refused = found[0]
    stored = client.query(_ROWS, {"id": id_, "at": at}).result_rows
    return Result(
        *(kind, version, definition, since, until, n, seed),
        parameters=parameters,
        caveats=tuple(caveats),
        refused=refused,
        rows=tuple(map(_row, stored)),
    )


def _row(stored: Sequence[Any]) -> Row:
    item, label, figures, notes = stored
    known: Mapping[str, float | None] = figures
    return Row(item, label, known, notes)
