"""What touchpoints' views must say, from the interactions themselves: each figure by its formula, nothing summed up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from pipeline.domain import intervals
from pipeline.domain.intervals import Interval
from pipeline.domain.rollup import WINDOW_MS, Cell, CellKey, fields
from pipeline.domain.scoring import DIMENSIONS, Scoring
from tests.interactions import made


class Happened(NamedTuple):
    """An interaction that says something, where it counts."""

    at: int  # ms
    touchpoint: str
    channel: str
    partition: int
    answer: tuple[str, float, float, float] | None = None
    measures: Mapping[str, float] = MappingProxyType({})
    type: str = "call_ended"
    definition: int = 1


def cells(happened: Iterable[Happened], scoring: Scoring) -> list[dict[str, Any]]:
    """The records of stitch, from its own counting."""
    found: dict[tuple[CellKey, int], Cell] = defaultdict(Cell)
    for each in happened:
        key = CellKey(each.at - each.at % WINDOW_MS, each.touchpoint, each.channel, each.definition)
        said = scoring.experience(_interaction(each))
        cell = found[key, each.partition]
        if said is None:
            cell.interactions += 1
        else:
            cell.count(said, 1)
    return [fields(key, partition, cell) for (key, partition), cell in found.items()]


def hour(zone: str) -> Callable[[Happened], Any]:
    """Its start, in seconds since 1970: by the clock on the wall."""

    def of(x: Happened) -> int:
        there = datetime.fromtimestamp(x.at / 1000, ZoneInfo(zone))
        return int(x.at // 1000 - there.minute * 60 - there.second)

    return of


def day(zone: str) -> Callable[[Happened], Any]:
    return lambda x: datetime.fromtimestamp(x.at / 1000, ZoneInfo(zone)).date()


def week(zone: str) -> Callable[[Happened], Any]:
    """Its Monday."""

    def of(x: Happened) -> Any:
        there = datetime.fromtimestamp(x.at / 1000, ZoneInfo(zone)).date()
        return there - timedelta(days=there.weekday())

    return of


def grouped(happened: Iterable[Happened], *by: Callable[[Happened], Any]) -> dict[tuple[Any, ...], list[Happened]]:
    found: dict[tuple[Any, ...], list[Happened]] = defaultdict(list)
    for each in happened:
        found[tuple(of(each) for of in by)].append(each)
    return dict(found)


def figures(happened: Sequence[Happened], scoring: Scoring) -> dict[str, float | None]:
    """Every column of figures."""
    said = [(x, scoring.experience(_interaction(x))) for x in happened]
    found: dict[str, float | None] = {"interactions": len(happened)}

    def put(name: str, figure: Interval, scale: float = 1, stem: str = "") -> None:
        found[name] = None if figure.value is None else scale * figure.value
        found[f"{stem or name}_low"] = None if figure.low is None else scale * figure.low
        found[f"{stem or name}_high"] = None if figure.high is None else scale * figure.high

    def mean(values: Sequence[float], least: float | None, most: float | None) -> Interval:
        return intervals.mean(len(values), sum(values), sum(x * x for x in values), least, most)

    for d, dimension in enumerate(DIMENSIONS):
        for asked in (True, False):
            name = f"{dimension}_{'asked' if asked else 'observed'}"
            values = [v for _, s in said if s is not None and s.asked == asked and (v := s.values[d]) is not None]
            found[f"{name}_n"] = len(values)
            put(f"{name}_mean", mean(values, 0, 100), stem=name)

    def answers(metric: str, scale: tuple[float, float] | None = None) -> list[tuple[float, float, float]]:
        """Value, min and max of the answers that are this metric's."""
        given = [x.answer for x in happened if x.answer is not None]
        return [
            (value, low, high)
            for question, value, low, high in given
            if scoring.questions[question].metric == metric and (scale is None or (low, high) == scale)
        ]

    nps = [value for value, _, _ in answers("nps", (0, 10))]
    found["nps_n"] = len(nps)
    put("nps", intervals.net(sum(v >= 9 for v in nps), sum(v <= 6 for v in nps), len(nps)), 100)
    csat = [100 * (value - low) / (high - low) for value, low, high in answers("csat")]
    found["csat_n"] = len(csat)
    put("csat_satisfied", intervals.proportion(sum(v >= 75 for v in csat), len(csat)))
    put("csat_mean", mean(csat, 0, 100))
    ces = [value for value, _, _ in answers("ces", (1, 7))]
    found["ces_n"] = len(ces)
    put("ces_mean", mean(ces, 1, 7))
    put("ces_5_to_7", intervals.proportion(sum(v >= 5 for v in ces), len(ces)))
    put("ces_net", intervals.net(sum(v >= 6 for v in ces), sum(v <= 3 for v in ces), len(ces)))
    three = [[value for value, _, _ in answers(q, (1, 5))] for q in ("needs_met", "question_ease", "enjoyment")]
    found["index_n"] = min(map(len, three))
    counted = [(len(each), sum(v >= 4 for v in each), sum(v <= 2 for v in each)) for each in three]
    index = intervals.three_questions(counted)
    put("index_net", index, 100, "index")
    gaps = [s.gap for _, s in said if s is not None and s.gap is not None]
    found["expected_n"] = len(gaps)
    put("expected_met", intervals.proportion(sum(gap <= 0 for gap in gaps), len(gaps)))
    put("expected_gap_mean", mean(gaps, None, None), stem="expected_gap")
    return found


def _interaction(x: Happened) -> Any:
    kind = "survey_answered" if x.answer is not None else x.type
    return made(
        at=x.at, type=kind, touchpoint=x.touchpoint, channel=x.channel, answer=x.answer, measures=dict(x.measures)
    )
