"""What people experienced, out of ClickHouse: a table of people, without their names, for `driving`.

A row is a person, as they are known when it is read; a column is the mean of what their interactions in the period say
of one thing. Nothing is weighed by its age. Rows are in the order of the persons, and means are rounded, so that the
same data gives the same table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from clickhouse_connect.driver.client import Client

from pipeline.analyse.resampling import Array
from pipeline.analyse.source import Period
from pipeline.domain.scoring import DIMENSIONS, Scoring

DRIVERS_MAX = 30
RECOMMENDATION, SATISFACTION, SCORE = "recommendation", "satisfaction", "score"
#: Outcome → the metric of the questions that ask for it (`schemas/catalogue/scores.yaml`).
METRICS = {RECOMMENDATION: "nps", SATISFACTION: "csat"}

_IN_PERIOD = """occurred_at >= fromUnixTimestamp64Milli({since:Int64})
        AND occurred_at < fromUnixTimestamp64Milli({until:Int64})"""
#: Every piece of evidence: whose, where, what it says, and whether it is an answer to the question for the outcome.
_EVIDENCE = f"""(SELECT person, touchpoint, occurred_at, evidence_kind, effectiveness, ease, emotion,
        arrayAvg(arrayMap(x -> assumeNotNull(x), arrayFilter(x -> x IS NOT NULL, [effectiveness, ease, emotion])))
            AS score,
        answer_value IS NOT NULL AND answer_max > answer_min AND has({{questions:Array(String)}}, answer_question)
            AS answered,
        if(answered, 100 * assumeNotNull(answer_value - answer_min) / assumeNotNull(answer_max - answer_min), 0)
            AS answer
    FROM interactions_by_person
    WHERE {_IN_PERIOD} AND (effectiveness IS NOT NULL OR ease IS NOT NULL OR emotion IS NOT NULL))"""  # noqa: S608
_SCORES = "(SELECT person, overall FROM customer_current WHERE overall IS NOT NULL)"
_ANSWERED = f"(SELECT person FROM {_EVIDENCE} WHERE answered)"  # noqa: S608  # texts of ours, here and below
_SCORED = f"(SELECT person FROM {_SCORES})"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Outcome:
    """What overall experience is taken to be."""

    name: str  # recommendation, satisfaction, score
    questions: tuple[str, ...] = ()  # whose answers it is the mean of; they count in no driver

    @property
    def people(self) -> str:
        """SQL: who has it."""
        return _ANSWERED if self.questions else _SCORED


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much the people with an outcome are of all, and how their evidence came."""

    people: int  # with any evidence in the period
    evidence: int  # pieces on the drivers, of people with an outcome
    same_day: int  # of these: answers given on a day on which they also answered the question for the outcome


def outcome(name: str, scoring: Scoring) -> Outcome:
    """The outcome of that name, by a definition of the scores; without questions where none asks for it."""
    metric = METRICS.get(name, "")
    asked = sorted(each for each, of in scoring.questions.items() if metric and of.metric == metric)
    return Outcome(name, tuple(asked))


def touchpoints(client: Client, period: Period, of: Outcome, most: int) -> list[tuple[str, int]]:
    """Where most of the people with an outcome have been, and how many of them. Raises the driver's errors."""
    sql = f"""SELECT touchpoint, count() AS n
        FROM (SELECT person, touchpoint FROM {_EVIDENCE} WHERE NOT answered AND person IN {of.people}
            GROUP BY person, touchpoint)
        GROUP BY touchpoint ORDER BY n DESC, touchpoint LIMIT {{most:UInt32}}"""  # noqa: S608
    rows = client.query(sql, _parameters(period, of) | {"most": most}).result_rows
    return [(str(touchpoint), int(n)) for touchpoint, n in rows]


def table(client: Client, period: Period, of: Outcome, drivers: Sequence[str], by_dimension: bool) -> Array:
    """People × (the outcome, then each driver), 0 to 100; NaN: nothing is known. Only people with an outcome and any
    driver. Raises the driver's errors."""
    asked = _parameters(period, of)
    if by_dimension:
        columns = [_mean(f"assumeNotNull({each})", f"{each} IS NOT NULL AND NOT answered") for each in DIMENSIONS]
    else:
        columns = [_mean("score", f"touchpoint = {{driver_{n}:String}} AND NOT answered") for n in range(len(drivers))]
        asked |= {f"driver_{n}": each for n, each in enumerate(drivers)}
    named = [f"{column} AS d{n}" for n, column in enumerate(columns)]
    names = [f"d{n}" for n in range(len(columns))]
    grouped = f"""(SELECT person, {_mean("answer", "answered")} AS asked, {", ".join(named)}
        FROM {_EVIDENCE} WHERE person IN {of.people} GROUP BY person)"""  # noqa: S608
    if of.questions:
        sql = f"SELECT asked AS outcome, {', '.join(names)} FROM {grouped} AS p"  # noqa: S608
    else:
        sql = f"""SELECT round(assumeNotNull(c.overall), 6) AS outcome, {", ".join(names)}
            FROM {grouped} AS p INNER JOIN {_SCORES} AS c ON c.person = p.person"""  # noqa: S608
    somewhere = " OR ".join(f"NOT isNaN({name})" for name in names)
    sql += f" WHERE NOT isNaN(outcome) AND ({somewhere}) ORDER BY p.person"
    with client.query_column_block_stream(sql, asked, settings={"max_block_size": 65_536}) as blocks:
        read = [np.array([np.asarray(column, dtype=float) for column in block]).T for block in blocks]
    return np.concatenate(read) if read else np.empty((0, 1 + len(columns)))


def coverage(client: Client, period: Period, of: Outcome, drivers: Sequence[str], by_dimension: bool) -> Coverage:
    """See `Coverage`. Raises the driver's errors."""
    where = "1" if by_dimension else "touchpoint IN {drivers:Array(String)}"
    asked = _parameters(period, of) | {"drivers": list(drivers), "zone": period.zone.key}
    (people,) = client.query(f"SELECT uniqExact(person) FROM {_EVIDENCE}", asked).result_rows[0]  # noqa: S608
    sql = f"""SELECT sum(pieces), sumIf(asked, answering) FROM
        (SELECT person, toDate(occurred_at, {{zone:String}}) AS day, max(answered) AS answering,
            countIf(NOT answered AND {where}) AS pieces,
            countIf(NOT answered AND {where} AND evidence_kind = 'asked') AS asked
        FROM {_EVIDENCE} WHERE person IN {of.people} GROUP BY person, day)"""  # noqa: S608
    evidence, same_day = client.query(sql, asked).result_rows[0]
    return Coverage(int(people), int(evidence), int(same_day))


def _mean(value: str, where: str) -> str:
    return f"round(avgIf({value}, {where}), 6)"


def _parameters(period: Period, of: Outcome) -> dict[str, Any]:
    since, until = period.bounds_ms
    parameters: Mapping[str, Any] = {"since": since, "until": until, "questions": list(of.questions)}
    return dict(parameters)
