"""`throughline report`: one page for people who never open a dashboard, of the newest result of each analysis.

It analyses nothing: it reads what `throughline analyse …` has kept, the dots as they are now, and the words in which
changes were recorded; `reporting` puts it together, a template writes it down. The page needs nothing else: pictures
are in it, it has no script, and it can be sent by mail or printed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from clickhouse_connect.driver.client import Client

from pipeline import catalogue
from pipeline.analyse import TEMPLATES, keeping, reporting, source
from pipeline.analyse.reporting import Dot, Found, Report
from pipeline.analyse.result import Result
from pipeline.analyse.source import CannotAnalyse
from pipeline.domain.catalogue import Catalogue
from pipeline.settings import Settings
from pipeline.templating import environment

#: Kind → of which one of its kind the report speaks.
KINDS = {"drivers": "touchpoints", "segments": "overall", "link": "", "paths": "", "changes": ""}
DOTS_MAX, CHANGES_MAX = 50, 1_000
_DOTS = """SELECT touchpoint, name, dot, reason, owner, when_red FROM touchpoint_dots WHERE dot IN ('red', 'yellow')
    ORDER BY dot, value, touchpoint LIMIT {most:UInt32}"""
_CHANGES = """SELECT change_id, touchpoint, toString(changed_on), what FROM changes_current
    WHERE change_id IN {ids:Array(String)} LIMIT {most:UInt32}"""


@dataclass(frozen=True, slots=True)
class Asked:
    """Into which file, and of what time results may be: those whose period has a day of it. None: of any."""

    html: Path
    since: date | None = None
    until: date | None = None  # the first day after it


def run(settings: Settings, asked: Asked) -> str:
    """Write the page; returns a line that says so.

    Raises CannotAnalyse, BadCatalogue, and OSError where the file cannot be written.
    """
    if asked.since and asked.until and asked.since >= asked.until:
        raise CannotAnalyse(f"--from {asked.since} is not before --to {asked.until}; --to is the first day after it")
    known = catalogue.load(settings.catalogue_folder)
    zone = ZoneInfo(settings.time_zone or known.business.time_zone)
    with source.connected(settings) as client:
        made = reporting.report(found(client, known, asked, datetime.now(UTC).astimezone(zone).date()))
    asked.html.write_text(html(made), encoding="utf-8")
    silent = [part.title for part in made.parts if part.missing and not part.lines]
    return f"{asked.html}" + (f"; nothing to say under: {', '.join(silent)}" if silent else "")


def found(client: Client, known: Catalogue, asked: Asked, today: date) -> Found:
    """What there is. Raises the driver's errors."""
    results: dict[str, Result] = {}
    others: dict[str, Result] = {}
    for kind, of in KINDS.items():
        newest = keeping.newest(client, kind, of)
        if newest is not None:
            (results if _within(newest, asked) else others)[kind] = newest
    dots = [Dot(*map(str, row)) for row in client.query(_DOTS, {"most": DOTS_MAX}).result_rows]
    rows = results["changes"].rows if "changes" in results else ()
    # What was corrected since to be of another place or day has other words by now.
    compared = {(row.item, row.notes.get("touchpoint", ""), row.notes.get("changed_on", "")) for row in rows}
    ids = [row.item for row in rows]
    stored = client.query(_CHANGES, {"ids": ids, "most": CHANGES_MAX}).result_rows if ids else []
    changed = {id_: what for id_, *where, what in stored if (id_, *where) in compared}
    return Found(today, results, known, others, dots, changed)


def html(of: Report) -> str:
    """The page. Everything that somebody named or wrote stays text."""
    return environment(TEMPLATES).get_template("report.html").render(report=of)


def _within(result: Result, asked: Asked) -> bool:
    begins = asked.until is None or result.period_from < asked.until
    return begins and (asked.since is None or result.period_to > asked.since)
