"""One look for causes: what the views say now. Blocking, so it is called in a thread.

Each question is bounded in rows and time. Where not all rows came, or it was not asked this time, what is missing is
not over (`Look.unseen`). What changes slowly is asked for every so many looks only.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error

from pipeline.alert import causes
from pipeline.domain.alerts import ASK, CONTROL, OVERDUE, THRESHOLD, Cause, Key, Look
from pipeline.domain.catalogue import Catalogue

ROWS_MAX = 5_000  # of one question
SETTINGS: dict[str, Any] = {"max_execution_time": 30, "join_use_nulls": 0}
#: Every how many looks: complaints, who refuses analysis, control charts.
COMPLAINTS, REFUSING, CHARTS = 3, 12, 120

_DOTS = "SELECT touchpoint, measure, dot, reason, value, n, low, high FROM touchpoint_dots ORDER BY touchpoint, measure"
_CHARTS = """SELECT touchpoint, dimension, max(day) AS newest, argMax(broken, day) AS broken, argMax(ewma, day) AS ewma,
argMax(low, day) AS low, argMax(high, day) AS high, argMax(n, day) AS n, toDate(now64(3), {zone:String}) AS today
FROM touchpoint_control GROUP BY touchpoint, dimension ORDER BY touchpoint, dimension"""
#: Two days are far enough back for whatever comes late: an alert that was opened needs its row no more.
_SEVERE = """SELECT identifier, touchpoint, toString(toDate(i.occurred_at, {zone:String})) AS day,
argMax(person, (i.occurred_at, event_id)) AS person, argMax(type, (i.occurred_at, event_id)) AS type,
toUnixTimestamp64Milli(min(least(i.occurred_at, received_at))) AS since, count() AS n,
min(least(ifNull(effectiveness, 100), ifNull(ease, 100), ifNull(emotion, 100))) AS value
FROM interactions_by_person AS i
WHERE occurred_day >= today() - 3 AND i.occurred_at > now64(3) - INTERVAL 48 HOUR AND severe
GROUP BY identifier, touchpoint, day ORDER BY since, identifier LIMIT 500 BY touchpoint, day"""
_COMPLAINTS = """SELECT identifier, person, complaint, touchpoint, stage, overdue, allowed_h, age_h, reopened,
opening_event, closing_event, closing_touchpoint, toUnixTimestamp64Milli(closed_at) AS closed_at,
toUnixTimestamp64Milli(first_sign_at) AS since
FROM complaint_times WHERE overdue != '' OR closed_at > now64(3) - INTERVAL 14 DAY
ORDER BY age_h, identifier, complaint"""
#: Of whoever may have complained: their identifiers are looked up first, so that few interactions are read.
_ANSWERS = """WITH
    closed AS (SELECT identifier FROM complaints WHERE type = 'complaint_closed' AND occurred_day >= today() - 16),
    persons AS (
        SELECT identifier AS who FROM closed
        UNION ALL
        SELECT arrayJoin([identities.person, earlier_person]) AS who FROM identities
        WHERE identifier IN (SELECT identifier FROM closed)
    )
SELECT person, about, touchpoint, toUnixTimestamp64Milli(i.occurred_at) AS at
FROM interactions_by_person AS i
WHERE occurred_day >= today() - 16 AND type = 'survey_answered' AND identifier IN (
    SELECT who FROM persons
    UNION ALL
    SELECT identifier FROM identities
    WHERE identities.person IN (SELECT who FROM persons) OR earlier_person IN (SELECT who FROM persons)
)
ORDER BY at DESC, source, event_id"""
_REFUSING = """SELECT a.alert_id AS alert_id FROM (SELECT * FROM alerts FINAL WHERE person != '') AS a
INNER JOIN analysis_refused_parts AS refused ON refused.who = a.person
WHERE refused.browser IN ('', a.identifier) ORDER BY alert_id"""

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look saw."""

    look: Look
    refusing: frozenset[str]  # ids of alerts about who refuses analysis
    as_of: int  # ms: when it began
    took_s: float


@dataclass(slots=True)
class _Found:
    """What a look has found so far."""

    found: list[Cause | tuple[Key, str]] = field(default_factory=list)
    unseen: set[str] = field(default_factory=set)
    refusing: frozenset[str] = frozenset()


class Looking:
    """Looks, one look after the other. Connects when it must."""

    def __init__(self, known: Catalogue, zone: str, connect: Callable[[], Client]) -> None:
        self._known = known
        self._zone = {"zone": zone}
        self._connect = connect
        self._client: Client | None = None
        self._looks = 0

    def look(self) -> Seen:
        """One look. Raises the driver's Error."""
        began, as_of = time.monotonic(), time.time_ns() // 1_000_000
        found = _Found()
        try:
            self._dots(found)
            found.found += [causes.severe(row, self._known) for row in self._ask(_SEVERE)[0]]
            self._complaints(found)
            self._charts(found)
            if self._looks % REFUSING == 0:
                found.refusing = frozenset(row["alert_id"] for row in self._ask(_REFUSING)[0])
        except Error:
            self.close()
            raise
        self._looks += 1
        holding, over = causes.sorted_out(found.found)
        look = Look(holding, over, frozenset(found.unseen))
        return Seen(look, found.refusing, as_of, time.monotonic() - began)

    def _dots(self, found: _Found) -> None:
        rows, everything = self._ask(_DOTS)
        found.found += [causes.threshold(row, self._known) for row in rows]
        if not everything:
            found.unseen.add(THRESHOLD)

    def _complaints(self, found: _Found) -> None:
        if self._looks % COMPLAINTS:
            found.unseen |= {OVERDUE, ASK}
            return
        rows, everything = self._ask(_COMPLAINTS)
        closed = [row for row in rows if not row["overdue"]]
        found.found += [causes.overdue(row, self._known) for row in rows if row["overdue"]]
        if closed:
            answers, all_answers = self._ask(_ANSWERS)
            answered = causes.answered(closed, answers)
            found.found += [causes.ask(row, done, self._known) for row, done in zip(closed, answered, strict=True)]
            everything &= all_answers
        if not everything:
            found.unseen |= {OVERDUE, ASK}

    def _charts(self, found: _Found) -> None:
        if self._looks % CHARTS:
            found.unseen.add(CONTROL)
            return
        rows, everything = self._ask(_CHARTS)
        found.found += [causes.control(row, self._known) for row in rows]
        if not everything:
            found.unseen.add(CONTROL)

    def _ask(self, question: str) -> tuple[Rows, bool]:
        """Its rows, and whether they are all there are."""
        if self._client is None:
            self._client = self._connect()
        parameters = self._zone if "{zone:" in question else None
        rows = list(
            self._client.query(f"{question} LIMIT {ROWS_MAX + 1}", parameters, settings=SETTINGS).named_results()
        )
        return rows[:ROWS_MAX], len(rows) <= ROWS_MAX

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._client is not None:
            self._client.close()
            self._client = None
