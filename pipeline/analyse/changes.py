"""`throughline analyse changes`: what came of what was changed at touchpoints, as far as evidence can say.

Changes made from `--from` on and before `--to` are looked at; evidence is read of the days around them. It reads what
touchpoints add up to, which names nobody.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np
from clickhouse_connect.driver.client import Client

from pipeline.analyse import change_rows, shown, source
from pipeline.analyse.before_after import WEEK, Changed, Evidence, How, compared
from pipeline.analyse.result import Result
from pipeline.analyse.source import CannotAnalyse, Period
from pipeline.domain.scoring import DIMENSIONS
from pipeline.settings import Settings

SUMMARY = "what touchpoints did before and after something was changed there"
COLUMNS: Sequence[shown.Column] = change_rows.COLUMNS
VERSION = 1
DAYS = 90  # in which changes are looked at
WINDOW_DAYS, WINDOW_DAYS_MAX = 28, 91
PERIOD_DAYS_MAX = 731
CHANGES_MAX = 500

_CHANGES = """
SELECT change_id, touchpoint, changed_on FROM changes_current
WHERE changed_on >= {since:Date} AND changed_on < {until:Date}
ORDER BY changed_on DESC, touchpoint, change_id"""
_TOUCHPOINTS = "SELECT touchpoint, name, n_min FROM touchpoints"
_EVIDENCE = f"""
SELECT touchpoint, dateDiff('day', {{since:Date}}, day) AS at,
    {", ".join(f"sumIf(n, dimension = '{each}') AS {each}_n" for each in DIMENSIONS)},
    {", ".join(f"sumIf(total, dimension = '{each}') AS {each}_total" for each in DIMENSIONS)},
    sumIf(n, kind = 'asked') AS asked_n
FROM evidence_daily
WHERE day >= {{since:Date}} AND day < {{until:Date}}
GROUP BY touchpoint, at
ORDER BY touchpoint, at"""  # noqa: S608  # names of ours, values are bound


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it takes beside the period."""
    parser.add_argument(
        "--days",
        type=_weeks,
        default=WINDOW_DAYS,
        metavar="N",
        help=f"compare so many days before with as many after, at most; whole weeks ({WINDOW_DAYS})",
    )


def run(settings: Settings, options: argparse.Namespace) -> Result:
    """Read, compute, say what was found. Raises CannotAnalyse and BadCatalogue."""
    now = datetime.now(UTC)
    period = source.period(settings, options, now, DAYS)
    with source.connected(settings) as client:
        return changed(client, period, options.days, options.seed, now)


def changed(client: Client, period: Period, days: int, seed: int, now: datetime) -> Result:
    """The analysis of what a client's ClickHouse has. Raises the driver's errors, CannotAnalyse."""
    if (period.until - period.since).days > PERIOD_DAYS_MAX:
        raise CannotAnalyse(f"changes of more than {PERIOD_DAYS_MAX} days are too many at once: choose fewer")
    definition, today = source.definition(client), now.astimezone(period.zone).date()
    since = period.since - timedelta(days=2 * days)  # the windows before the first change
    until = period.until + timedelta(days=days + 1)
    known = [Changed(*row) for row in client.query(_CHANGES, {"since": since, "until": until}).result_rows]
    of_period = [each for each in known if period.since <= each.on < period.until]
    mine = of_period[:CHANGES_MAX]
    names, n_min = _touchpoints(client)
    found = []
    if mine:
        how = How(until=today, days=days, n_min=n_min)
        found = compared(known, _evidence(client, since, min(until, today)), how, mine)
    return Result(
        *("changes", VERSION, definition, period.since, period.until, len(mine), seed),
        parameters={"days": str(days)},
        caveats=(*change_rows.caveats(found), *_cut(len(of_period))),
        refused="" if mine else change_rows.nothing(period.since, period.until),
        rows=change_rows.rows(found, names, days),
    )


def _cut(recorded: int) -> tuple[str, ...]:
    if recorded <= CHANGES_MAX:
        return ()
    return (f"Of {recorded:,} changes the newest {CHANGES_MAX:,} are compared; choose a shorter period for others.",)


def _touchpoints(client: Client) -> tuple[dict[str, str], dict[str, int]]:
    """Their names, and how much evidence each needs."""
    stored = client.query(_TOUCHPOINTS).result_rows
    return {str(id_): str(name) for id_, name, _ in stored}, {str(id_): int(least) for id_, _, least in stored}


def _evidence(client: Client, since: date, until: date) -> Evidence:
    """All touchpoints' evidence of days that are over."""
    stored = client.query(_EVIDENCE, {"since": since, "until": until}).result_rows
    names = sorted({str(row[0]) for row in stored})
    size = (len(names), max((until - since).days, 0), len(DIMENSIONS))
    n, total, asked_n = np.zeros(size), np.zeros(size), np.zeros(size[:2])
    place = {name: at for at, name in enumerate(names)}
    for name, day, *sums in stored:
        at = (place[name], day)
        n[at], total[at], asked_n[at] = sums[: len(DIMENSIONS)], sums[len(DIMENSIONS) : -1], sums[-1]
    return Evidence(names, since, n, total, asked_n)


def _weeks(text: str) -> int:
    days = int(text) if text.isascii() and text.isdecimal() else 0
    if not WEEK <= days <= WINDOW_DAYS_MAX or days % WEEK:
        raise argparse.ArgumentTypeError(f"{text!r} is not 7, 14, 21 … up to {WINDOW_DAYS_MAX} days")
    return days
