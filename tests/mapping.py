"""A ClickHouse for the pages of governance that makes its figures up: the same for the same question, and hostile where
people may write. For tests of what the pages show, and for looking at them."""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import Mapping
from typing import Any

from pipeline.domain.catalogue import Catalogue
from pipeline.serve.reports import PAGE, Effort, ReportsAway, Row

DAY_MS = 86_400_000
HOSTILE = "</text><script>document.title='owned'</script> & \"so\" 'it' went"


def amount(*of: object) -> float:
    """0 to 1, made of what it is about."""
    return zlib.crc32(repr(of).encode()) % 10_007 / 10_006


class Told:
    """Reports that are made up. `away`: nobody answers; `slow`: counts wait until it is set."""

    def __init__(self, known: Catalogue) -> None:
        self._known = known
        self.away = False
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.asked: list[str] = []

    async def rows(self, sql: str, parameters: Mapping[str, Any] | None = None, effort: Effort = PAGE) -> list[Row]:
        """See Reports."""
        self.asked.append(sql)
        if self.away:
            raise ReportsAway("away")
        given = dict(parameters or {})
        if "persons0" in sql:
            await self.go_on.wait()
            return [_ways(sql, earlier) for earlier in (0, 1)]
        if "LIMIT {each:UInt16} BY kind" in sql:
            return [{"kind": "store", "value": each, "n": 9} for each in ("Main street", HOSTILE)]
        for found, make in _MADE:
            if found in sql:
                return make(self._known, given)
        raise AssertionError(f"nobody expected this question: {sql}")


def _ways(sql: str, earlier: int) -> Row:
    row: Row = {"earlier": earlier}
    for name in re.findall(r"AS (persons\d+|met\d+|went[\d_]+|took[\d_]+)", sql):
        number = re.split(r"[a-z]+|_", name)[1]
        people = 200 + round(4_000 * amount("persons", number, earlier))
        some = {"persons": people, "met": people * 3, "went": round(people * amount(name, earlier))}
        row[name] = some.get(re.sub(r"[\d_]+", "", name), 60_000 * 4 ** (8 * amount(name)))
    return row


def _everybody(known: Catalogue, given: dict[str, Any]) -> list[Row]:
    rows = []
    for each in known.touchpoints.values():
        if each.layer in ("backstage", "support"):
            continue
        for at in range(given["earliest"], given["until"], DAY_MS):
            earlier = at < given["since"]
            n = round(40 * amount(each.id, "n"))
            mean = 35 + 50 * amount(each.id) + 14 * amount(each.id, at) - 10 * earlier * amount(each.id, "before")
            parts = [n, n * mean, n * (mean * mean + 500)]
            rows.append(
                {
                    "touchpoint": each.id,
                    "at": at,
                    "earlier": earlier,
                    "interactions": n * 3,
                    "parts": [*parts, *parts, 0, 0, 0],
                    "expected": n if each.expects else 0,
                    "met": round(n * amount(each.id, "met")) if each.expects else 0,
                }
            )
    return rows


def _observed(known: Catalogue, given: dict[str, Any]) -> list[Row]:
    rows = []
    for name, _ in given["measures"]:
        limits = known.touchpoints[name].thresholds
        assert limits is not None
        for at in range(given["earliest"], given["until"], DAY_MS):
            n = 4
            value = limits.green + (limits.yellow - limits.green) * 2 * amount(name) + amount(name, at) / 50
            parts = [n, n * value, n * (value * value + 0.0001)]
            earlier = at < given["since"]
            rows.append({"touchpoint": name, "at": at, "earlier": earlier, "interactions": n, "parts": parts})
    return rows


def _evidence(known: Catalogue, given: dict[str, Any]) -> list[Row]:
    parts = [round(100 * amount(n, given["touchpoint"])) for n in range(18)]
    return [{"channel": channel, "parts": parts} for channel in ("web", "mobile")]


def _alerts(known: Catalogue, given: dict[str, Any]) -> list[Row]:
    return [{"touchpoint": "call_queue", "n": 3}, {"touchpoint": "doorstep", "n": 1}, {"touchpoint": "", "n": 1}]


def _alert(known: Catalogue, given: dict[str, Any]) -> list[Row]:
    if given["touchpoint"] != "call_queue":
        return []
    alert = {
        "kind": "threshold",
        "state": "open",
        "assigned_to": "manager of the contact centre",
        "what_to_do": "Call.",
    }
    return [{**alert, "reason": f"score 40, red {HOSTILE}", "at": 1_764_158_400_000}]


def _verbatims(known: Catalogue, given: dict[str, Any]) -> list[Row]:
    said = {"at": 1_764_158_400_000, "question": "csat", "value": 2.0, "max": 5.0}
    return [{**said, "comment": "I waited for an hour."}, {**said, "comment": HOSTILE}]


def _notes(known: Catalogue, given: dict[str, Any]) -> list[Row]:
    return [{"at": 1_764_158_400_000, "measure": "agents_missing", "value": 2.0, "note": HOSTILE}]


def _states(known: Catalogue, given: dict[str, Any]) -> list[Row]:
    dots = {"call_queue": "red", "checkout": "red", "doorstep": "yellow", "chat": "green"}
    return [
        {"touchpoint": each.id, "dot": dots.get(each.id, "grey"), "reason": f"score 40 from 100 {HOSTILE}"}
        for each in known.touchpoints.values()
        if each.thresholds is not None
    ]


def _open(known: Catalogue, given: dict[str, Any]) -> list[Row]:
    times = {"taken": 0, "oldest_h": 30.5}
    return [{"touchpoint": each, "open": n, **times} for each, n in (("call_queue", 3), ("checkout", 1), ("", 2))]


def _took(known: Catalogue, given: dict[str, Any]) -> list[Row]:
    row = {"acknowledged": 4, "resolved": 3, "acknowledged_h": 2.0, "resolved_h": 50.0}
    return [{"touchpoint": "call_queue", "acted": False, **row}, {"touchpoint": "checkout", "acted": True, **row}]


def _complaints(known: Catalogue, given: dict[str, Any]) -> list[Row]:
    return [{"touchpoint": "call_queue", "open": 5, "overdue": 2, "closed": 7, "closed_h": 100.0}]


def _unowned(known: Catalogue, given: dict[str, Any]) -> list[Row]:
    return [{"touchpoint": HOSTILE, "n": 12_345}]


def _changes(known: Catalogue, given: dict[str, Any]) -> list[Row]:
    return [{"touchpoint": "call_queue", "day": "2026-11-24", "what": f"Two more agents. {HOSTILE}"}]


def _analyses(known: Catalogue, given: dict[str, Any]) -> list[Row]:
    return []


_MADE = (
    ("FROM analyses_newest", _analyses),
    ("FROM changes_current", _changes),
    ("FROM touchpoint_dots", _states),
    ("oldest_h", _open),
    ("FROM alerts FINAL", _took),
    ("FROM complaint_times", _complaints),
    ("NOT IN {known", _unowned),
    ("FROM answers", _verbatims),
    ("note != ''", _notes),
    ("FROM observations", _observed),
    ("SELECT channel", _evidence),
    ("FROM touchpoint_sums", _everybody),
    ("FROM interactions_by_person", _everybody),
    ("GROUP BY touchpoint", _alerts),
    ("FROM alerts_open", _alert),
)
