"""The figures of the map, of governance and of what a touchpoint suffers from, out of ClickHouse.

Those of everybody come from the sums of cells, which are live and answer at once. Those of some people, and how people
go on, are of persons: they are counted in the background (`counting`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.domain.blueprint import CHANNELS, EVERYBODY, KNOWN, Part, Segment, Sums, Ways
from pipeline.domain.catalogue import Journey
from pipeline.domain.periods import HOURLY, Window
from pipeline.domain.pulls import Evidence
from pipeline.serve import ways_sql
from pipeline.serve.reports import COUNT, PAGE, Effort, Reports, Row

DIMENSIONS = ("effectiveness", "ease", "emotion")
SEGMENT_VALUES_MAX = 20  # that are offered of each kind
SEGMENTS_DAYS = 28

_DAY = "toStartOfDay({time}, {{zone:String}})"
_HOUR = "toStartOfHour({time}, {{zone:String}})"
_SINCE = "fromUnixTimestamp64Milli({{since:Int64}})"
_WITHIN = (
    "{time} >= fromUnixTimestamp64Milli({{earliest:Int64}}) AND {time} < fromUnixTimestamp64Milli({{until:Int64}}) "
    f"AND ({{time}} >= {_SINCE} OR {{time}} < fromUnixTimestamp64Milli({{{{earlier_until:Int64}}}}))"
)
_CELL_PARTS = ", ".join(
    f"sum({name}_{kind}_n), sum({name}_{kind}_sum), sum({name}_{kind}_sum2)"
    for name in DIMENSIONS
    for kind in ("asked", "observed")
)


@dataclass(frozen=True, slots=True)
class Counted:
    """What is counted in the background for a period and a segment, or (period empty) which segments there are."""

    ways: Ways
    before: Ways
    sums: Sequence[Sums] = ()  # of a segment; everybody's are live
    segments: Sequence[Segment] = ()


class Figures:
    """Asks for them. Every method raises ReportsAway."""

    def __init__(self, reports: Reports, zone: str, kinds: Sequence[str], effort: Effort = PAGE) -> None:
        """`zone`: the business's; `kinds`: details by which people are told apart; `effort`: of what is not slow."""
        self._effort = effort
        self._reports = reports
        self._zone = zone
        self._kinds = list(kinds)

    async def everybody(self, window: Window, period: str) -> list[Sums]:
        """What cells say of each touchpoint."""
        parts = [
            f"sum({name}_asked_n + {name}_observed_n), sum({name}_asked_sum + {name}_observed_sum), "
            f"sum({name}_asked_sum2 + {name}_observed_sum2)"
            for name in DIMENSIONS
        ]
        sql = (
            f"SELECT touchpoint, {_bucket(period, 'hour')} AS at, "  # noqa: S608  # names of ours, values are parameters
            "hour < fromUnixTimestamp64Milli({since:Int64}) AS earlier, "
            f"sum(interactions) AS interactions, [{', '.join(parts)}] AS parts, "
            "sum(expected_n) AS expected, sum(expected_met) AS met FROM touchpoint_sums "
            f"WHERE {_WITHIN.format(time='hour')} GROUP BY touchpoint, at, earlier"
        )
        return _sums(await self._reports.rows(sql, {**window.bound(), "zone": self._zone}, self._effort))

    async def observed(self, window: Window, period: str, measures: Mapping[str, str]) -> list[Sums]:
        """What observations say of each touchpoint's measure."""
        if not measures:
            return []
        sql = (
            f"SELECT touchpoint, {_bucket(period, 'observed_at')} AS at, "  # noqa: S608
            "observed_at < fromUnixTimestamp64Milli({since:Int64}) AS earlier, count() AS interactions, "
            "[count(), sum(value), sum(value * value)] AS parts FROM observations FINAL "
            f"WHERE {_WITHIN.format(time='observed_at')} "
            "AND (touchpoint, measure) IN {measures:Array(Tuple(String, String))} "
            "GROUP BY touchpoint, at, earlier"
        )
        bound = {**window.bound(), "zone": self._zone, "measures": list(measures.items())}
        return _sums(await self._reports.rows(sql, bound, self._effort))

    async def alerts(self) -> dict[str, int]:
        """Touchpoint → open alerts."""
        rows = await self._reports.rows("SELECT touchpoint, count() AS n FROM alerts_open GROUP BY touchpoint")
        return {str(row["touchpoint"]): int(row["n"]) for row in rows}

    async def evidence(self, window: Window, touchpoint: str) -> list[Evidence]:
        """What each kind of evidence at a touchpoint says, of everybody, in the period."""
        sql = (
            f"SELECT channel, [{_CELL_PARTS}] AS parts FROM touchpoint_sums "  # noqa: S608
            "WHERE hour >= fromUnixTimestamp64Milli({since:Int64}) AND hour < fromUnixTimestamp64Milli({until:Int64}) "
            "AND touchpoint = {touchpoint:String} GROUP BY channel"
        )
        rows = await self._reports.rows(sql, {**window.bound(), "touchpoint": touchpoint})
        kinds = [(name, kind) for name in DIMENSIONS for kind in ("asked", "observed")]
        return [
            Evidence(str(row["channel"]), name, kind, int(row["parts"][3 * n]), float(row["parts"][3 * n + 1]))
            for row in rows
            for n, (name, kind) in enumerate(kinds)
        ]

    async def count(self, journeys: Iterable[Journey], window: Window, period: str, segment: Segment) -> Counted:
        """How people go on, and for a segment what they met. Slow."""
        ways: dict[bool, dict[tuple[str, str, str], Any]] = {False: {}, True: {}}
        for question in ways_sql.questions(journeys, window, segment):
            rows = await self._reports.rows(question.sql, question.parameters, COUNT)
            for earlier, found in ways_sql.ways(question, rows).items():
                ways[earlier].update(found)
        sums = [] if segment == EVERYBODY else await self._of(window, period, segment)
        return Counted(ways[False], ways[True], sums)

    async def _of(self, window: Window, period: str, segment: Segment) -> list[Sums]:
        """What happened to the people of a segment."""
        condition, parameters = ways_sql.whose(segment)
        parts = ", ".join(
            f"toFloat64(count({name})), sum(ifNull({name}, 0)), sum(pow(ifNull({name}, 0), 2))" for name in DIMENSIONS
        )
        sql = (
            f"SELECT touchpoint, {_bucket(period, 'occurred_at')} AS at, "  # noqa: S608
            "occurred_at < fromUnixTimestamp64Milli({since:Int64}) AS earlier, count() AS interactions, "
            f"[{parts}] AS parts, count(expected_gap) AS expected, "
            "countIf(expected_gap <= 0) AS met FROM interactions_by_person "
            f"WHERE {_WITHIN.format(time='occurred_at')} AND {condition} GROUP BY touchpoint, at, earlier"
        )
        bound = {**window.bound(), **parameters, "zone": self._zone}
        return _sums(await self._reports.rows(sql, bound, COUNT))

    async def segments(self) -> Counted:
        """Of which segments there were people lately, the largest of each kind first. Slow."""
        sql = (
            "SELECT each.1 AS kind, each.2 AS value, count() AS n FROM (SELECT arrayJoin(arrayFilter(found -> "
            "found.2 != '', arrayMap(name -> (name, if(details[name] != '', details[name], properties[name])), "
            "{kinds:Array(String)}))) AS each FROM interactions_by_person WHERE occurred_at >= now64(3) - "
            "toIntervalDay({days:UInt16}) AND (effectiveness IS NOT NULL OR ease IS NOT NULL OR emotion IS NOT NULL)) "
            "GROUP BY kind, value ORDER BY kind, n DESC, value LIMIT {each:UInt16} BY kind"
        )
        bound = {"kinds": self._kinds, "days": SEGMENTS_DAYS, "each": SEGMENT_VALUES_MAX}
        rows = await self._reports.rows(sql, bound, COUNT) if self._kinds else []
        return Counted({}, {}, segments=[*KNOWN, *CHANNELS, *(Segment(row["kind"], row["value"]) for row in rows)])


def _bucket(period: str, time: str) -> str:
    start = (_HOUR if period == HOURLY else _DAY).format(time=time)
    return f"toInt64(toUnixTimestamp({start})) * 1000"


def _sums(rows: Iterable[Row]) -> list[Sums]:
    return [
        Sums(
            str(row["touchpoint"]),
            int(row["at"]),
            bool(row["earlier"]),
            int(row["interactions"]),
            _parts(row["parts"]),
            (int(row.get("expected", 0)), int(row.get("met", 0))),
        )
        for row in rows
    ]


def _parts(flat: Sequence[float]) -> list[Part]:
    return [(int(flat[n]), float(flat[n + 1]), float(flat[n + 2])) for n in range(0, len(flat), 3)]
