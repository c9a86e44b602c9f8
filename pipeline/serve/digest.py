"""`throughline digest`: a week's figures out of ClickHouse, composed (`domain.digest`) and written down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from pipeline import catalogue
from pipeline.domain import blueprint, digest, periods
from pipeline.domain.blueprint import SCORE
from pipeline.domain.catalogue import Catalogue
from pipeline.domain.digest import DRIVERS_MAX, Changed, Counts, Did, Digest, Driver, Drivers, Said, Told, Week
from pipeline.domain.intervals import Interval
from pipeline.domain.periods import Window
from pipeline.keys import load_or_create
from pipeline.serve.figures import Figures
from pipeline.serve.reports import COUNT, ClickHouseReports, Reports, Row
from pipeline.settings import Settings
from pipeline.templating import environment

HERE = Path(__file__).parent
SAID_MAX = 1_000  # comments and notes that are looked at
DAYS = "7"  # the period whose trend is one of days

_WITHIN = "{time} >= fromUnixTimestamp64Milli({{since:Int64}}) AND {time} < fromUnixTimestamp64Milli({{until:Int64}})"
_ANSWERS = f"""SELECT touchpoint, comment AS text, if(max > min, (value - min) / (max - min), NULL) AS rating
    FROM answers WHERE comment != '' AND {_WITHIN.format(time="occurred_at")}
    ORDER BY occurred_at DESC, source, event_id LIMIT {{most:UInt32}}"""  # noqa: S608  # names of ours
_NOTES = f"""SELECT touchpoint, note AS text, NULL AS rating FROM observations FINAL
    WHERE note != '' AND kind = 'staff' AND {_WITHIN.format(time="observed_at")}
    ORDER BY observed_at DESC, source, observation_id LIMIT {{most:UInt32}}"""  # noqa: S608  # names of ours
_ALERTS = f"""SELECT countIf({_WITHIN.format(time="opened_at")}) AS opened,
    countIf(closed_at IS NOT NULL AND {_WITHIN.format(time="closed_at")}) AS resolved FROM alerts FINAL"""  # noqa: S608
_COMPLAINTS = f"""SELECT countIf({_WITHIN.format(time="received_at")}) AS received,
    countIf(closed_at IS NOT NULL AND {_WITHIN.format(time="closed_at")}) AS closed,
    countIf(overdue != '') AS overdue FROM complaint_times"""  # noqa: S608
# Of this week all; of the weeks before, in which what changes did comes to be known, those of which it is.
_CHANGES = """SELECT c.touchpoint AS touchpoint, toString(c.changed_on) AS day, c.what AS what, e.verdict AS verdict,
        e.reason AS reason, e.beware AS beware, e.days AS days, isNotNull(e.effect) AS compared,
        if(compared, e.effect, e.difference) AS points, if(compared, e.effect_low, e.difference_low) AS low,
        if(compared, e.effect_high, e.difference_high) AS high
    FROM changes_current AS c LEFT JOIN change_effects AS e ON e.change_id = c.change_id
    WHERE c.changed_on < toDate({monday:String}) + 7
        AND c.changed_on >= toDate({monday:String}) - if(isNotNull(points), {weeks:UInt32} * 7, 0)
    ORDER BY c.touchpoint, c.changed_on, c.change_id LIMIT {most:UInt32}
    SETTINGS join_use_nulls = 0"""
_DRIVERS = """SELECT a.refused AS refused, toString(a.period_from) AS since, toString(a.period_to) AS until,
        d.driver AS touchpoint, d.name AS name, d.quadrant AS quadrant, d.n AS n,
        d.share AS share, d.share_low AS share_low, d.share_high AS share_high, d.performance AS performance,
        d.performance_low AS performance_low, d.performance_high AS performance_high
    FROM analyses_newest AS a
    LEFT JOIN (SELECT * FROM drivers WHERE of = 'touchpoints') AS d ON d.computed_at = a.computed_at
    WHERE a.kind = 'drivers' AND a.of = 'touchpoints'
    ORDER BY d.position LIMIT {most:UInt32}
    SETTINGS join_use_nulls = 0"""
CHANGE_WEEKS = 5  # so far back what changes did is told: four weeks after a change are over in the fifth


@dataclass(frozen=True, slots=True)
class Where:
    """Which week, and into which files; without any, Markdown goes to standard output."""

    week: str = ""
    html: Path | None = None
    markdown: Path | None = None


def run(settings: Settings, where: Where) -> str:
    """Write a digest; returns what is to be printed.

    Raises digest.BadWeek, ReportsAway, BadCatalogue, and OSError where a file cannot be written.
    """
    known = catalogue.load(settings.catalogue_folder)
    zone = ZoneInfo(settings.time_zone or known.business.time_zone)
    now_ms = time.time_ns() // 1_000_000
    chosen = digest.week(where.week, datetime.fromtimestamp(now_ms / 1000, zone).date())
    keys = load_or_create(settings)

    async def read() -> Told:
        reports = ClickHouseReports(settings, keys.clickhouse_user, keys.clickhouse_password)
        try:
            return await told(reports, known, chosen, now_ms, zone)
        finally:
            await reports.close()

    made = digest.digest(asyncio.run(read()))
    written = []
    for path, text in ((where.html, html), (where.markdown, digest.markdown)):
        if path is not None:
            path.write_text(text(made), encoding="utf-8")
            written.append(str(path))
    return f"{chosen.name}: {', '.join(written)}\n" if written else digest.markdown(made)


def html(of: Digest) -> str:
    """As a page of its own: everything is in it, and it can be printed."""
    return environment(HERE / "templates").get_template("digest.html").render(digest=of)


async def told(reports: Reports, known: Catalogue, week: Week, now_ms: int, zone: ZoneInfo) -> Told:
    """What a week's digest is made of. Raises ReportsAway."""
    window, over = _window(week, now_ms, zone)
    figures = Figures(reports, zone.key, (), COUNT)
    measures = {
        each.id: measure
        for each in known.touchpoints.values()
        if (measure := blueprint.measured(each)) not in ("", SCORE)
    }
    sums = [each for each in await figures.everybody(window, DAYS) if each.touchpoint not in measures]
    sums += await figures.observed(window, DAYS, measures)
    names = {each.id: each.name for each in known.touchpoints.values()}

    async def ask(sql: str) -> list[Row]:
        return await reports.rows(sql, {"since": window.since, "until": window.until, "most": SAID_MAX}, COUNT)

    answers, notes, (alerts,), (complaints,) = [await ask(sql) for sql in (_ANSWERS, _NOTES, _ALERTS, _COMPLAINTS)]
    of_week = {"monday": week.monday.isoformat(), "weeks": CHANGE_WEEKS, "most": SAID_MAX}
    changes = await reports.rows(_CHANGES, of_week, COUNT)
    return Told(
        week=week,
        until=None if over else datetime.fromtimestamp(now_ms / 1000, zone).date(),
        readings=[
            (each, blueprint.reading(each, [one for one in sums if one.touchpoint == each.id], ()))
            for each in known.touchpoints.values()
        ],
        customers=[_said(row, names) for row in answers],
        staff=[_said(row, names) for row in notes],
        counts=Counts(
            interactions=sum(
                each.interactions for each in sums if not each.earlier and each.touchpoint not in measures
            ),
            alerts_opened=int(alerts["opened"]),
            alerts_resolved=int(alerts["resolved"]),
            complaints_received=int(complaints["received"]),
            complaints_closed=int(complaints["closed"]),
            complaints_overdue=int(complaints["overdue"]),
        ),
        drivers=_drivers(await reports.rows(_DRIVERS, {"most": DRIVERS_MAX}, COUNT)),
        changes=[_changed(row, names) for row in changes],
    )


def _window(week: Week, now_ms: int, zone: ZoneInfo) -> tuple[Window, bool]:
    """The week and the one before, and whether it is over; else the same days and hours of the one before."""
    whole = periods.week(week.year, week.number, zone)
    if now_ms >= whole.until:
        return whole, True
    now = datetime.fromtimestamp(now_ms / 1000, zone)
    earlier = datetime.combine(now.date() - timedelta(days=7), now.time(), zone)
    return replace(whole, until=now_ms, earlier_until=round(earlier.timestamp() * 1000)), False


def _said(row: Row, names: dict[str, str]) -> Said:
    place, rating = str(row["touchpoint"]), row["rating"]
    return Said(names.get(place, place), str(row["text"]), None if rating is None else float(rating))


def _drivers(rows: Sequence[Row]) -> Drivers | None:
    if not rows:
        return None
    found = [_driver(row) for row in rows if row["touchpoint"]]
    since, until = (date.fromisoformat(rows[0][each]) for each in ("since", "until"))
    return Drivers(since, until, found, str(rows[0]["refused"]))


def _driver(row: Row) -> Driver:
    share, doing = (Interval(row[name], row[f"{name}_low"], row[f"{name}_high"]) for name in ("share", "performance"))
    return Driver(str(row["touchpoint"]), str(row["name"]), share, doing, int(row["n"]), str(row["quadrant"]))


def _changed(row: Row, names: dict[str, str]) -> Changed:
    place, verdict = str(row["touchpoint"]), str(row["verdict"])
    points = Interval(*(None if row[each] is None else float(row[each]) for each in ("points", "low", "high")))
    did = Did(verdict, points, bool(row["compared"]), int(row["days"]), str(row["reason"]), str(row["beware"]))
    named = names.get(place, place)
    return Changed(named, date.fromisoformat(row["day"]), str(row["what"]), did if verdict else None)
