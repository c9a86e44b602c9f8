"""Results of every kind, made up, as a report gets them: for tests of the page, and for looking at it."""

from __future__ import annotations

import time
from datetime import date
from itertools import pairwise

from clickhouse_connect.driver.client import Client

from pipeline import catalogue
from pipeline.analyse import keeping, paths_found, paths_plan
from pipeline.analyse.paths_found import Count
from pipeline.analyse.paths_plan import How
from pipeline.analyse.paths_sql import GOES_ON, Fact
from pipeline.analyse.reporting import Dot, Found
from pipeline.analyse.result import Result, Row
from pipeline.settings import Settings

SHOP = catalogue.load(Settings().catalogue_folder)
SINCE, UNTIL = date(2026, 8, 29), date(2026, 11, 27)
KEPT_AT_MS = 1_795_000_000_000
ASSOCIATION = "Association, not cause: who has the better experience may differ in more than that."


def drivers() -> Result:
    """Four touchpoints: one that carries much and does badly, one of which nobody is sure."""
    told = (
        ("call_queue", 0.41, 0.06, 38.0, "improve first", "yes"),
        ("checkout", 0.31, 0.05, 81.0, "keep it up", "yes"),
        ("site_search", 0.19, 0.08, 64.0, "unclear", "yes"),
        ("doorstep", 0.09, 0.09, 77.0, "leave as it is", "no"),
    )
    rows = tuple(
        Row(
            place,
            SHOP.touchpoints[place].name,
            {
                "share": share,
                "share_low": share - by,
                "share_high": share + by,
                "n": 1_840.0,
                "r2": 0.44,
                "performance": doing,
                "performance_low": doing - 2.4,
                "performance_high": doing + 2.4,
                "r2_low": 0.41,
                "r2_high": 0.47,
                "importance_line": 1 / len(told),
                "performance_line": 66.0,
            },
            {"quadrant": quadrant, "found": found},
        )
        for place, share, by, doing, quadrant, found in told
    )
    caveats = (ASSOCIATION, "Site search and Home delivery may have each other's rank: their intervals overlap.")
    return Result("drivers", 1, 1, SINCE, UNTIL, 2_310, 1, {"of": "touchpoints"}, caveats, rows=rows)


def segments() -> Result:
    """One that fares worse, one that does not."""
    rows = tuple(
        Row(
            f"store:{name}",
            f"store: {name}",
            {
                "n": n,
                "mean": mean,
                "mean_low": mean - 3,
                "mean_high": mean + 3,
                "difference": by,
                "difference_low": by - 4,
                "difference_high": by + 4,
            },
            {"verdict": verdict, "trait": "store", "segment": name},
        )
        for name, n, mean, by, verdict in (
            ("Main street", 214.0, 51.0, -9.2, "worse"),
            ("Harbour", 187.0, 60.4, 0.3, "no difference beyond chance"),
        )
    )
    return Result("segments", 1, 1, SINCE, UNTIL, 2_310, 1, {"of": "overall"}, (ASSOCIATION,), rows=rows)


def link() -> Result:
    """Who had it better ordered more; who left cannot be said."""
    effect = {"effect": 0.031, "effect_low": 0.012, "effect_high": 0.05, "mean": 0.42, "n": 1_530.0}
    notes = {"part": "effect", "unit": "share", "control": "holds", "outcome": "bought"}
    amount = {"effect": 6.4, "effect_low": -1.2, "effect_high": 14.0, "mean": 83.1, "n": 1_530.0}
    rows = (
        Row("bought", "Ordered or renewed", effect, {**notes, "verdict": "more with better experience"}),
        Row(
            "net",
            "Net amount",
            amount,
            {**notes, "unit": "USD", "verdict": "no difference beyond chance", "control": "fails", "outcome": "net"},
        ),
        Row("churned", "Left", {"n": 1_530.0}, {**notes, "verdict": "unknown", "reason": "fewer than 10 left"}),
        *(
            Row(
                f"bought:{low}",
                f"Ordered or renewed, score {low} to {low + 20}",
                {"n": 300.0, "mean": mean, "mean_low": mean - 0.05, "mean_high": mean + 0.05},
                {"part": "band", "unit": "share", "outcome": "bought"},
            )
            for low, mean in ((0, 0.31), (20, 0.36), (40, 0.42), (60, 0.45), (80, 0.52))
        ),
    )
    return Result("link", 1, 1, date(2026, 8, 1), date(2026, 10, 30), 1_530, 1, caveats=(ASSOCIATION,), rows=rows)


def changes() -> Result:
    """A fix that helped, one that did not, and one of which nobody can say yet."""
    known = {"days": 28.0, "others": 11.0, "before_n": 420.0, "after_n": 389.0, "before": 41.0, "after": 53.5}
    figures = {**known, "difference": 12.5, "difference_low": 8.9, "difference_high": 16.1}
    effect = {**figures, "effect": 10.8, "effect_low": 5.2, "effect_high": 16.4}
    worse = {**known, "after": 35.0, "difference": -6.0, "difference_low": -10.0, "difference_high": -2.0}
    rows = (
        Row(
            "c1",
            "Help pages",
            effect,
            {"touchpoint": "help_page", "verdict": "better", "changed_on": "2026-10-05", "caveats": ""},
        ),
        Row(
            "c2",
            "Checkout",
            worse,
            {"touchpoint": "checkout", "verdict": "worse", "changed_on": "2026-10-12", "caveats": "It stands alone."},
        ),
        Row(
            "c3",
            "Chat",
            {"days": 9.0},
            {"touchpoint": "chat", "verdict": "grey", "changed_on": "2026-11-18", "reason": "Too few days yet."},
        ),
    )
    return Result("changes", 1, 1, SINCE, UNTIL, 3, 1, caveats=("Nobody drew lots.",), rows=rows)


def paths(name: str | None = None) -> Result:
    """Buying and getting help, with calls after the help page. `name`: of everything, to see what it does to a page."""
    plan = paths_plan.plan(SHOP, 0, 1, How())
    at = {each: n for n, each in enumerate(plan.parameters["touchpoints"], 1)}
    counts = {
        (Fact.PEOPLE,): Count(9_400, 9_400),
        (Fact.CONTACT, at["help_page"], 1, 3, 1): Count(812, 934, 900, 900 * 342.0),
        (Fact.CONTACT, at["site_search"], 1, 3, 2): Count(301, 320, 310, 310 * 281.0),
        (Fact.SOON, 1, 3): Count(1_240, 1_400),
        (Fact.SWITCH, 1, 3): Count(2_900, 3_700),
        (Fact.SWITCH_TIME, 1, 3, 96): Count(2_900, 3_700),
        (Fact.WINDOW, at["site_search"], at["product_page"]): Count(2_200, 3_800),
        **_journey(
            1, [3_900, 3_050, 1_720, 1_610, 1_540], {(1, 3): 310, (0, 3): 190, (2, 1): 1_420, (3, 5): 55, (5, 2): 40}
        ),
        **_journey(3, [2_600, 1_800, 1_350, 420], {(0, 2): 610, (3, 2): 505, (1, 3): 88, (2, 4): 34}),
    }
    found = tuple(paths_found.rows(counts, plan, SHOP.business.contact_costs))
    if name is not None:
        found = tuple(Row(row.item, name, row.figures, {**row.notes, **_named(row, name)}) for row in found)
    caveats = ("Each person counts once in a journey: the first run that began in the period.",)
    return Result("paths", 1, 1, SINCE, UNTIL, 9_400, 0, {"soon_min": "60"}, caveats, rows=found)


def _named(row: Row, name: str) -> dict[str, str]:
    return {each: name for each in ("journey_name", "step_name", "what", "after", "issue") if row.notes.get(each)}


def _journey(n: int, here: list[int], aside: dict[tuple[int, int], int]) -> dict[tuple[int, ...], Count]:
    straight = {(a, a + 1): round(b * 0.93) for a, b in enumerate(here[1:], 1)}
    moves = {(0, 1): here[0], **straight, **aside}
    return {
        (Fact.FITS, n, 1, 1): Count(round(here[-1] * 0.8), 0),
        (Fact.FITS, n, 1, 0): Count(round(here[0] * 0.4), 0),
        (Fact.FITS, n, 0, 0): Count(here[0] - round(here[0] * 0.4) - round(here[-1] * 0.8) + 200, 0),
        (Fact.TIME, n, 138): Count(here[-1], here[-1]),
        (Fact.PATH, n, *range(1, len(here) + 1)): Count(round(here[-1] * 0.7), 0),
        (Fact.PATH, n, 1, 2, GOES_ON): Count(here[0] // 9, 0),
        **{(Fact.AT, n, step): Count(people, people) for step, people in enumerate(here, 1)},
        **{(Fact.ENDED, n, step): Count((a - b) // 2 + 12, 0) for step, (a, b) in enumerate(pairwise(here), 1)},
        **{(Fact.AGAIN, n, step): Count(people // 5, 0) for step, people in enumerate(here[:3], 1)},
        **{(Fact.MOVE, n, *way): Count(people, people) for way, people in moves.items()},
    }


def everything() -> Found:
    """A result of each kind."""
    results = {each.kind: each for each in (drivers(), segments(), link(), paths(), changes())}
    dots = [
        Dot(
            "doorstep",
            "Home delivery",
            "red",
            "score 44 from 212, red below 55",
            "head of delivery",
            "Call the carrier.",
        ),
        Dot("chat", "Chat", "yellow", "score 61 from 98, yellow below 70", "head of customer care", ""),
    ]
    changed = {
        "c1": "Delivery times are said on the help page.",
        "c2": "New way of payment.",
        "c3": "A bot answers first.",
    }
    return Found(date(2026, 11, 27), results, SHOP, dots=dots, changed=changed)


def keep_everything(client: Client, at_ms: int | None = None) -> None:
    """Store it as the analyses do, as of now, with the changes that it speaks of."""
    found = everything()
    for result in found.results.values():
        keeping.keep(client, result, at_ms or time.time_ns() // 1_000_000)
    recorded = [
        (row.item, row.notes["touchpoint"], date.fromisoformat(row.notes["changed_on"]), found.changed[row.item], "", 1)
        for row in found.results["changes"].rows
    ]
    client.insert("changes", recorded, ["change_id", "touchpoint", "changed_on", "what", "recorded_by", "version"])
