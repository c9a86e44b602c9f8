"""`throughline analyse paths`: how people really go, against the design of journeys, and where they change channels.

Rules
- A person is counted once in a journey: with the first run through it that began in the period. A run is all that they
  did at its touchpoints without a pause (`--pause-hours`), within the same time from its beginning for everybody
  (`--within-days`). Who began too late to be followed for so long is in no figure of it, and counted apart: so who came
  to the end and who did not are counted over the same days, however long each took.
- Everything is counted in ClickHouse, in one statement (`paths_sql`), whose an interaction is and who refuses analysis
  is said by `interactions_by_person`.
- A change of channel, and a contact, is what somebody did themselves: what the shop sends or says (outbound) and what
  the courier does are steps of their journey, and no more.
- What a contact costs is what the catalogue says (`contact_costs` of business.yaml), beside the time that somebody
  spent on it; where it says nothing there is the time alone.
- Somebody who searches and then calls may have called anyway: a switch is no proof that the search failed.
"""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime
from pathlib import Path

from pipeline import catalogue
from pipeline.analyse import PEOPLE_MIN, paths_drawn, paths_found, paths_plan, paths_sql, shown, source
from pipeline.analyse.paths_plan import DAY_MS, HOUR_MS, How, Plan
from pipeline.analyse.result import Result, Row
from pipeline.domain.catalogue_files import ContactCosts
from pipeline.serve import said
from pipeline.settings import Settings

KIND, VERSION = "paths", 2
SUMMARY = "how people really go: frequent paths, where they end, what is done twice, changes of channel, the design"
HOURS_MAX = 24 * 365
PARTS = {
    "kept": "kept to the design",
    "completed": "came to the end",
    "step": "at a step",
    "dropped": "ended there",
    "again": "came again",
    "move": "way",
    "path": "path",
    "switch": "changed channel soon",
    "contact": "contact soon after",
    "window": "touchpoints in a row",
    "untold": "by nearly all",
}


def _hours(row: Row) -> str:
    handled, seconds = row.figures.get("handled"), row.figures.get("handle_s")
    return shown.NOBODY_KNOWS if not handled or seconds is None else f"{seconds / 3600:,.1f} h"


def _cost(row: Row) -> str:
    cost = row.figures.get("cost")
    return shown.NOBODY_KNOWS if cost is None else f"{cost:,.0f} {row.notes.get('currency', '')}".rstrip()


COLUMNS = (
    shown.Column("What", lambda row: PARTS.get(row.notes.get("part", ""), ""), right=False),
    shown.label("Who"),
    shown.figure("People", "people", shown.COUNT),
    shown.figure("Of", "of", shown.COUNT),
    shown.estimate("Share", "share", shown.PERCENT),
    shown.figure("Times", "times", shown.COUNT),
    shown.Column("Half within", lambda row: said.duration(row.figures.get("median_s"))),
    shown.Column("Time spent", _hours),
    shown.Column("Cost", _cost),
    shown.note("Not as designed", "what"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See Analysis."""
    parser.add_argument(
        "--pause-hours",
        type=_number,
        default=How().pause_ms // HOUR_MS,
        metavar="HOURS",
        help="a pause that ends a run through a journey (%(default)s)",
    )
    parser.add_argument(
        "--within-days",
        type=_number,
        default=How().within_ms // DAY_MS,
        metavar="DAYS",
        help="how long a run is followed from its beginning (%(default)s)",
    )
    parser.add_argument(
        "--soon-minutes",
        type=_number,
        default=How().soon_ms // 60_000,
        metavar="MINUTES",
        help="a change of channel within it was made soon (%(default)s)",
    )
    parser.add_argument("--mermaid", type=Path, metavar="FILE", help="draw the journeys into this file, for Mermaid")


def run(settings: Settings, options: argparse.Namespace) -> Result:
    """See Analysis."""
    known = catalogue.load(settings.catalogue_folder)
    period = source.period(settings, options, datetime.fromtimestamp(time.time(), UTC))
    how = How(
        pause_ms=options.pause_hours * HOUR_MS,
        within_ms=options.within_days * DAY_MS,
        soon_ms=options.soon_minutes * 60_000,
    )
    planned = paths_plan.plan(known, *period.bounds_ms, how)
    with source.connected(settings, answer_s=paths_sql.ANSWER_S_MAX) as client:
        definition = source.definition(client)
        rows = client.query(paths_sql.SQL, dict(planned.parameters), settings=dict(paths_sql.LIMITS)).result_rows
    found = result(paths_found.counts(rows), planned, how, (period, definition), known.business.contact_costs)
    if options.mermaid is not None and not found.refused:
        options.mermaid.write_text(paths_drawn.mermaid(found), encoding="utf-8")
    return found


def result(
    of: paths_found.Counts,
    planned: Plan,
    how: How,
    made_of: tuple[source.Period, int],
    costs: ContactCosts | None,
) -> Result:
    """What was counted, as a result. `made_of`: the period, and the definition of the scores. Pure."""
    period, definition = made_of
    people, rows = paths_found.people(of), tuple(paths_found.rows(of, planned, costs))
    late = paths_found.late(of, planned)
    refused = ""
    if not rows:
        began = f" {_late(late, how)}" if late else ""
        who = f"{people:,} did anything" if people else f"fewer than {PEOPLE_MIN} did anything"
        refused = f"nothing in the period was done by {PEOPLE_MIN} people or more: {who}.{began}"
        refused += " Choose a longer period" + (", or a shorter --within-days." if late else ".")
    return Result(
        kind=KIND,
        version=VERSION,
        definition=definition,
        period_from=period.since,
        period_to=period.until,
        n=people,
        seed=0,  # nothing is drawn at random
        parameters={
            "pause_h": f"{how.pause_ms // HOUR_MS}",
            "within_d": f"{how.within_ms // DAY_MS}",
            "soon_min": f"{how.soon_ms // 60_000}",
        },
        caveats=() if refused else _caveats(how, late, costs),
        refused=refused,
        rows=rows,
    )


def svg(found: Result) -> str:
    """See Analysis."""
    return paths_drawn.svg(found)


def _caveats(how: How, late: dict[str, int], costs: ContactCosts | None) -> tuple[str, ...]:
    pause, within = said.duration(how.pause_ms / 1000), said.duration(how.within_ms / 1000)
    spent = "the catalogue's cost per contact" if costs else "time alone: the catalogue says no cost per contact"
    return (
        f"Each person counts once in a journey: the first run that began in the period. A pause of {pause} ends it.",
        f"Everybody's is followed for {within} from its beginning: who comes to the end later did not come to it.",
        *([f"{_late(late, how)} A shorter --within-days takes more of them in."] if late else []),
        "A touchpoint of several journeys counts in each: a search may have been for another reason.",
        "Whoever searched and then called may have called anyway: a change of channel is no proof of a failure.",
        f"Contacts soon after are shown with {spent}. What fewer than {PEOPLE_MIN} people did, or all but fewer than "
        f"{PEOPLE_MIN}, is not told.",
    )


def _late(late: dict[str, int], how: How) -> str:
    on = ", ".join(f"{people:,} on “{name}”" for name, people in late.items())
    within = said.duration(how.within_ms / 1000)
    return f"Began less than {within} before the period ended, and in no figure of the journey: {on}."


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= HOURS_MAX * 60:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)
