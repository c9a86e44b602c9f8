"""What people experienced, out of ClickHouse: a table of people, without their names, for `driving`.

A row is a person, as they are known when it is read; a column is the mean of what their interactions in the period say
of one thing. What came after the day on which they last said what they think overall did not make them think so, and is
left out. Nothing is weighed by its age. Rows are in the order of the persons, and means are rounded, so that the same
data gives the same table.
"""

from __future__ import annotations

from collections.abc import Sequence
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
_EVIDENCE = f"""(SELECT person, touchpoint, toDate(occurred_at, {{zone:String}}) AS day, evidence_kind,
        effectiveness, ease, emotion,
        arrayAvg(arrayMap(x -> assumeNotNull(x), arrayFilter(x -> x IS NOT NULL, [effectiveness, ease, emotion])))
            AS score,
        answer_value IS NOT NULL AND answer_max > answer_min AND has({{questions:Array(String)}}, answer_question)
            AS answered,
        if(answered, 100 * assumeNotNull(answer_value - answer_min) / assumeNotNull(answer_max - answer_min), 0)
            AS answer
    FROM interactions_by_person
    WHERE {_IN_PERIOD} AND (effectiveness IS NOT NULL OR ease IS NOT NULL OR emotion IS NOT NULL))"""  # noqa: S608
#: Each person's overall score as it stood at the end of the period, by the days that were over then.
_SCORES = """(SELECT person, argMax(tuple(overall), day).1 AS overall FROM customer_scores FINAL
    WHERE definition = {definition:UInt32} AND day < toDate(fromUnixTimestamp64Milli({until:Int64}, 'UTC'))
        AND effectiveness_n + ease_n + emotion_n > 0
    GROUP BY person HAVING overall IS NOT NULL)"""
_SCORED = f"person IN (SELECT person FROM {_SCORES})"  # noqa: S608  # texts of ours, here and below


@dataclass(frozen=True, slots=True)
class Outcome:
    """What overall experience is taken to be."""

    name: str  # recommendation, satisfaction, score
    questions: tuple[str, ...] = ()  # whose answers it is the mean of; they count in no driver
    definition: int = 0  # of the scores, where it is one

    @property
    def evidence(self) -> str:
        """SQL: the evidence of those who have it, as far as it may have made it."""
        if not self.questions:
            return f"{_EVIDENCE} WHERE {_SCORED}"
        last = f"(SELECT person, max(day) AS last_day FROM {_EVIDENCE} WHERE answered GROUP BY person)"  # noqa: S608
        return f"{_EVIDENCE} AS e INNER JOIN {last} AS a ON a.person = e.person WHERE e.day <= a.last_day"


@dataclass(frozen=True, slots=True)
class Table:
    """People's table, and how what is in it came."""

    values: Array  # people × (the outcome, then each driver), 0 to 100; NaN: nothing is known
    evidence: int = 0  # pieces on the drivers
    same_day: int = 0  # of these: answers given on a day on which they also answered the question for the outcome


def outcome(name: str, scoring: Scoring) -> Outcome:
    """The outcome of that name, by a definition of the scores; without questions where none asks for it."""
    metric = METRICS.get(name, "")
    asked = sorted(each for each, of in scoring.questions.items() if metric and of.metric == metric)
    return Outcome(name, tuple(asked), scoring.version)


def touchpoints(client: Client, period: Period, of: Outcome, most: int) -> list[str]:
    """Where most of the people with an outcome have been. Raises the driver's errors."""
    sql = f"""SELECT touchpoint FROM
        (SELECT arrayJoin(places) AS touchpoint FROM
            (SELECT person, groupUniqArrayIf(touchpoint, NOT answered) AS places FROM {of.evidence} GROUP BY person))
        GROUP BY touchpoint ORDER BY count() DESC, touchpoint LIMIT {{most:UInt32}}"""  # noqa: S608
    rows = client.query(sql, _parameters(period, of) | {"most": most}).result_rows
    return [str(touchpoint) for (touchpoint,) in rows]


def people(client: Client, period: Period) -> int:
    """How many people have any evidence. Raises the driver's errors."""
    sql = f"SELECT uniqExact(person) FROM {_EVIDENCE}"  # noqa: S608
    return int(client.query(sql, _parameters(period, Outcome(""))).result_rows[0][0])


def table(client: Client, period: Period, of: Outcome, drivers: Sequence[str], by_dimension: bool) -> Table:
    """The people with an outcome and any driver, in the order of the drivers. Raises the driver's errors."""
    if by_dimension:
        columns = [_mean(f"assumeNotNull({each})", f"{each} IS NOT NULL AND NOT answered") for each in DIMENSIONS]
    else:
        columns = [_mean("score", f"touchpoint = {{driver_{n}:String}} AND NOT answered") for n in range(len(drivers))]
    names = [f"d{n}" for n in range(len(columns))]
    driver = "NOT answered" + ("" if by_dimension else " AND touchpoint IN {drivers:Array(String)}")
    named = [f"{column} AS {name}" for column, name in zip(columns, names, strict=True)]
    somewhere = " OR ".join(f"NOT isNaN({name})" for name in names)
    outcome = "p.asked" if of.questions else "round(assumeNotNull(c.overall), 6)"
    join = "" if of.questions else f"INNER JOIN {_SCORES} AS c ON c.person = p.person"
    sql = f"""SELECT {outcome} AS outcome, {", ".join(names)}, pieces,
            arrayCount(each -> has(answer_days, each), asked_days) AS same_day
        FROM
        (
            SELECT person, {_mean("answer", "answered")} AS asked, {", ".join(named)},
                countIf({driver}) AS pieces,
                groupUniqArrayIf(day, answered) AS answer_days,
                groupArrayIf(day, {driver} AND evidence_kind = 'asked') AS asked_days
            FROM {of.evidence} GROUP BY person
        ) AS p {join}
        WHERE {somewhere} ORDER BY p.person"""  # noqa: S608
    asked = _parameters(period, of) | {"drivers": list(drivers)}
    asked |= {f"driver_{n}": each for n, each in enumerate(drivers)}
    read, evidence, same_day = [], 0, 0
    with client.query_column_block_stream(sql, asked, settings={"max_block_size": 65_536}) as blocks:
        for *values, pieces, same in blocks:
            read.append(np.array([np.asarray(column, dtype=float) for column in values]).T)
            evidence, same_day = evidence + sum(pieces), same_day + sum(same)
    whole = np.concatenate(read) if read else np.empty((0, 1 + len(columns)))
    return Table(whole, int(evidence), int(same_day))


def _mean(value: str, where: str) -> str:
    return f"round(avgIf({value}, {where}), 6)"


def _parameters(period: Period, of: Outcome) -> dict[str, Any]:
    since, until = period.bounds_ms
    known = {"since": since, "until": until, "zone": period.zone.key}
    return {**known, "questions": list(of.questions), "definition": of.definition}
