"""`throughline analyse drivers`: which touchpoints, or dimensions, carry overall experience (see `driving`)."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from clickhouse_connect.driver.client import Client

from pipeline import catalogue
from pipeline.analyse import driving, importance, quadrants, quadrants_drawn, reading, shown, source, warned
from pipeline.analyse.driving import CASES_MIN, Interval, Sampling, Study
from pipeline.analyse.few import kept
from pipeline.analyse.reading import RECOMMENDATION, SCORE, Outcome, Table
from pipeline.analyse.result import OF, Result, Row
from pipeline.analyse.source import CannotAnalyse
from pipeline.domain.catalogue import Catalogue
from pipeline.domain.scoring import DIMENSIONS
from pipeline.settings import Settings

SUMMARY = "which touchpoints, or dimensions, carry overall experience"
VERSION = 2
MOST, SAMPLES, PAIRS = 10, 200, 500
SAMPLES_MAX, PAIRS_MAX = 2_000, 10_000
AUTOMATIC = "automatic"
TOUCHPOINTS, BY_DIMENSION = "touchpoints", "dimensions"
NOBODY = Table(np.empty((0, 1)))
MEANINGS = dict(
    zip(DIMENSIONS, ("Effectiveness: goal reached", "Ease: little effort", "Emotion: felt well"), strict=True)
)
COLUMNS = (
    shown.label("Driver"),
    shown.estimate("Share", "share", shown.PERCENT),
    shown.figure("Johnson", "weight", shown.PERCENT),
    shown.estimate("Doing", "performance"),
    shown.estimate("10 points: +", "coefficient"),
    shown.note("> chance", "found"),
    shown.figure("VIF", "vif"),
    shown.figure("n", "n", shown.COUNT),
    shown.note("What follows", "quadrant"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Those of this analysis."""
    parser.add_argument("--of", choices=(TOUCHPOINTS, BY_DIMENSION), default=TOUCHPOINTS, help="what may drive")
    parser.add_argument(
        "--outcome",
        choices=(AUTOMATIC, *reading.METRICS, SCORE),
        default=AUTOMATIC,
        help="what overall experience is: answers on recommendation or satisfaction, or the overall score; automatic: "
        "recommendation where enough answered, else the score",
    )
    parser.add_argument(
        "--drivers", default="", metavar="ID,ID,…", help="these touchpoints; without it where most people were"
    )
    parser.add_argument(
        *("--most",), type=_whole(2, reading.DRIVERS_MAX), default=MOST, help=f"so many touchpoints at most ({MOST})"
    )
    parser.add_argument(
        *("--samples",), type=_whole(50, SAMPLES_MAX), default=SAMPLES, help=f"for the intervals ({SAMPLES})"
    )
    parser.add_argument(
        *("--pairs",),
        type=_whole(10, PAIRS_MAX),
        default=PAIRS,
        help=f"pairs of orders that are drawn where there are more than {importance.EXACT_MAX} drivers ({PAIRS})",
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """People's table, and what it is of."""

    outcome: Outcome
    drivers: tuple[str, ...]
    table: Table  # with a column for each driver
    left_out: tuple[tuple[str, int], ...] = ()  # touchpoints that too few have, and how many do
    even: tuple[str, ...] = ()  # drivers of which everybody's is the same
    refused: str = ""


def run(settings: Settings, options: argparse.Namespace) -> Result:
    """Read, compute, and say what was found. Raises CannotAnalyse and BadCatalogue."""
    known = catalogue.load(settings.catalogue_folder)
    period = source.period(settings, options, datetime.now(UTC))
    sampling = Sampling(options.seed, options.samples, options.pairs)
    with source.connected(settings) as client:
        definition = source.definition(client)
        look = Look(client, known, period, options, definition)
        asked = look.table()
        people = reading.people(client, period)
    empty = Result(
        *("drivers", VERSION, definition, period.since, period.until, kept(len(asked.table.values)), options.seed),
        parameters=_parameters(options, asked),
    )
    names = {each: look.name(each) for each in asked.drivers} | {each: look.name(each) for each, _ in asked.left_out}
    about = warned.About(asked.outcome, people, asked.table, names)
    if asked.refused:
        return replace(empty, refused=asked.refused, caveats=warned.of_data(about, asked.left_out, asked.even))
    with shown.progress(
        f"{sampling.samples} samples of {len(asked.table.values):,} people", len(asked.table.values)
    ) as advance:
        found = driving.study(asked.table.values, sampling, advance)
    return _result(empty, asked, found, about)


def _result(empty: Result, asked: Asked, found: Study, about: warned.About) -> Result:
    caveats = warned.of_data(about, asked.left_out, asked.even)
    if found.p_value >= driving.ALPHA:
        refused = warned.nothing_found(about, found)
        return replace(empty, refused=refused, caveats=caveats)
    caveats += warned.of_study(about, asked.drivers, found)
    return replace(empty, rows=rows(asked.drivers, about.names, found), caveats=caveats)


def rows(drivers: Sequence[str], names: Mapping[str, str], found: Study) -> tuple[Row, ...]:
    """A line for each driver, the largest share first."""
    lines = quadrants.lines(found)
    made = []
    for j in np.argsort(-found.share.value, kind="stable"):
        chance = found.p_corrected[j] >= driving.ALPHA
        figures: dict[str, float | None] = {
            **_estimate("share", found.share, j),
            **_estimate("weight", found.weight, j),
            **_estimate("performance", found.performance, j),
            **_estimate("coefficient", found.coefficient, j, 10),
            "n": float(found.n[j]),
            "rank_low": float(found.rank.low[j]),
            "rank_high": float(found.rank.high[j]),
            "share_error": None if found.error is None else round(float(found.error[j]), 9),
            "p": float(found.p[j]),
            "p_corrected": float(found.p_corrected[j]),
            "vif": round(float(found.inflation[j]), 6),
            **dict(zip(("r2", "r2_low", "r2_high"), (round(each, 9) for each in found.r2), strict=True)),
            "importance_line": lines.importance,
            "performance_line": lines.performance,
        }
        quadrant = quadrants.UNCLEAR if chance else quadrants.quadrant(lines, found, j)
        notes = {"quadrant": quadrant, "found": "no" if chance else "yes"}
        made.append(Row(drivers[j], names[drivers[j]], figures, notes))
    return tuple(made)


def svg(result: Result) -> str:
    """Importance against performance."""
    return quadrants_drawn.svg(result)


class Look:
    """Reads the table, and decides which drivers and which outcome it has."""

    def __init__(
        self,
        client: Client,
        known: Catalogue,
        period: source.Period,
        options: argparse.Namespace,
        definition: int,
    ) -> None:
        self._client = client
        self._known = known
        self._period = period
        self._options = options
        self._scoring = known.scorings.get(definition, known.scoring)

    def name(self, driver: str) -> str:
        """For people."""
        if driver in MEANINGS and self._options.of == BY_DIMENSION:
            return MEANINGS[driver]
        return self._known.touchpoints[driver].name if driver in self._known.touchpoints else driver

    def table(self) -> Asked:
        """The table by the outcome that was asked for; automatic: by the first for which it suffices.

        Raises CannotAnalyse, and the driver's errors.
        """
        if self._options.outcome != AUTOMATIC:
            return self._by(self._options.outcome)
        first = self._by(RECOMMENDATION)
        return first if not first.refused else self._by(SCORE)

    def _by(self, name: str) -> Asked:
        of = reading.outcome(name, self._scoring)
        if name != SCORE and not of.questions:
            metric = reading.METRICS[name]
            return Asked(of, (), NOBODY, refused=f"No question of scores.yaml has the metric {metric}.")
        by_dimension = self._options.of == BY_DIMENSION
        wanted = tuple(dict.fromkeys(each.strip() for each in self._options.drivers.split(",") if each.strip()))
        if len(wanted) > reading.DRIVERS_MAX:
            raise CannotAnalyse(f"{len(wanted)} drivers are too many at once: {reading.DRIVERS_MAX} at most")
        if by_dimension:
            drivers: tuple[str, ...] = tuple(DIMENSIONS)
        elif wanted:
            drivers = wanted
        else:
            drivers = tuple(reading.touchpoints(self._client, self._period, of, self._options.most))
        if len(drivers) < 2:
            return Asked(of, drivers, NOBODY, refused=warned.too_few_drivers(of))
        table = reading.table(self._client, self._period, of, drivers, by_dimension)
        return enough(of, drivers, table, bool(wanted) and not by_dimension, self.name)


def enough(of: Outcome, drivers: tuple[str, ...], table: Table, all_of_them: bool, name: Callable[[str], str]) -> Asked:
    """The table with the drivers that can be compared; refused where there are too few people for them.

    `all_of_them`: somebody asked for these, so none is left out for too few people.
    """
    values = table.values
    counts = driving.pairs(values)
    vary = driving.varying(values)
    even = tuple(each for n, each in enumerate(drivers, 1) if not vary[n] and counts[n, n])
    candidates = [0, *(n for n in range(1, len(drivers) + 1) if vary[n] or not counts[n, n])]
    enough_in = driving.usable(counts[np.ix_(candidates, candidates)])
    kept = [candidates[n] for n in enough_in]
    left_out = tuple((drivers[n - 1], int(counts[n, n])) for n in candidates[1:] if n not in kept)
    if all_of_them and left_out:
        chosen = [drivers[n - 1] for n in candidates[1:]]
        refused = warned.too_few_people(of, counts[np.ix_(candidates, candidates)], [name(each) for each in chosen])
        return Asked(of, tuple(chosen), table, (), even, refused)
    if len(kept) < 2 or not vary[0]:
        refused = warned.too_few_drivers(of) if len(kept) < 2 else warned.everybody_the_same(of)
        return Asked(of, tuple(drivers[n - 1] for n in kept), table, left_out, even, refused)
    used = values[:, [0, *kept]]
    used = used[~np.isnan(used[:, 1:]).all(axis=1)]
    return Asked(of, tuple(drivers[n - 1] for n in kept), replace(table, values=used), left_out, even)


def _estimate(name: str, of: Interval, j: int, factor: float = 1) -> dict[str, float | None]:
    parts = (("", of.value), ("_low", of.low), ("_high", of.high))
    return {f"{name}{end}": round(factor * float(values[j]), 9) for end, values in parts}


def _parameters(options: argparse.Namespace, asked: Asked) -> dict[str, str]:
    found = {
        OF: options.of,
        "outcome": asked.outcome.name,
        "drivers": options.drivers or f"up to {options.most}",
        "samples": str(options.samples),
        "cases_min": str(CASES_MIN),
    }
    if len(asked.drivers) > importance.EXACT_MAX:
        found["pairs"] = str(options.pairs)
    return found


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parsed(text: str) -> int:
        if not (text.isascii() and text.isdecimal()) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number of {least} to {most}")
        return int(text)

    return parsed
