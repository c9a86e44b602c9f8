"""How it feels: all touchpoints together, and each by itself."""

from __future__ import annotations

from pipeline.local.bi import datasets as d
from pipeline.local.bi.charts import (
    GREEN,
    GREY,
    RED,
    YELLOW,
    Chart,
    Dashboard,
    bars,
    choice,
    groups,
    lines_over_bars,
    number,
    period,
    rows,
)

_SCORE = ("score", "score_low", "score_high", "pieces")
_LEVELS = (
    ("dot", "=", "red", RED),
    ("dot", "=", "yellow", YELLOW),
    ("dot", "=", "green", GREEN),
    ("dot", "=", "grey", GREY),
)


def _dimension(dimension: str, asks: str) -> Chart:
    return lines_over_bars(
        f"{dimension.capitalize()}: {asks}",
        d.EVIDENCE,
        "day",
        ("score", "score_low", "score_high"),
        ("pieces",),
        "Mean score of each day with its 95 % interval; the bars are n, the pieces of evidence behind it.",
        where=(("dimension", "==", dimension),),
        bounds=(0, 100),
        y_title="score, 0 to 100",
    )


OVERVIEW = Dashboard(
    "throughline-overview",
    "Experience overview",
    "How well people are served, over all touchpoints, in the period chosen above. Scores go from 0 to 100, higher is "
    "better; *n* is the number of pieces of evidence, and the figure lies between *from* and *to* with 95 %. With an n "
    "under 30, think twice. What says *now* is of this moment, whatever the period.",
    (
        (
            number("Interactions", d.TRAFFIC, "all_interactions", "in the period chosen"),
            number("Touchpoints in red", d.DOTS, "touchpoints_red", "by their thresholds, now"),
            number("Persons at risk", d.CUSTOMERS, "people_at_risk", "who may leave, as of now"),
            number("Alerts open", d.ALERTS, "alerts_now", "that somebody should look at now"),
        ),
        (
            _dimension("effectiveness", "did they reach their goal?"),
            _dimension("ease", "how little effort did it take?"),
            _dimension("emotion", "how did it feel?"),
        ),
        (
            bars(
                "Interactions by channel",
                d.TRAFFIC,
                "day",
                ("all_interactions",),
                "All interactions of each day, with evidence or without.",
                by=("channel",),
                stack=True,
            ),
            groups(
                "Scores by channel",
                d.EVIDENCE,
                ("channel", "dimension"),
                _SCORE,
                "Over the period, the lowest first.",
                order=("score", True),
                width=6,
            ),
        ),
        (
            rows(
                "What people answered, by week",
                d.SURVEYS,
                (
                    *("week", "touchpoint_name", "channel", "nps", "nps_low", "nps_high", "nps_n"),
                    *("csat", "csat_low", "csat_high", "csat_n", "ces", "ces_low", "ces_high", "ces_n"),
                ),
                "Net promoter score (−100 to 100), share of the satisfied, customer effort score (7 is the "
                "easiest): each with "
                "its 95 % interval and its number of answers.",
                order=(("week", False), ("touchpoint_name", True)),
            ),
        ),
    ),
    (
        period(28),
        choice(d.CATALOGUE, "channel"),
        choice(d.CATALOGUE, "touchpoint_name"),
        choice(d.CATALOGUE, "owner"),
    ),
)

TOUCHPOINTS = Dashboard(
    "throughline-touchpoints",
    "Touchpoints",
    "Where it goes well and where it does not. A dot is red, yellow or green **now**, by the thresholds of the "
    "catalogue, and **grey while nobody can say**: too little evidence. The period is that of scores, evidence and "
    "expectations. Which stores, partners, queues and staff are apart from the others by more than chance is of the "
    "last 28 days. Control charts begin after 14 days with enough evidence.",
    (
        (
            number("Red", d.DOTS, "touchpoints_red", "touchpoints below their threshold"),
            number("Yellow", d.DOTS, "touchpoints_yellow", "touchpoints to keep an eye on"),
            number("Grey", d.DOTS, "touchpoints_grey", "too little evidence to say"),
            number("Averages out of their limits", d.CONTROL, "out_of_limits", "control charts, last 7 days"),
        ),
        (
            rows(
                "How touchpoints are doing now",
                d.DOTS,
                ("dot", "touchpoint_name", "value", "low", "high", "n", "reason", "owner", "when_red"),
                "The worst first. The value is a score (0 to 100), or the mean of what staff and systems observe.",
                order=(("urgency", True), ("touchpoint_name", True)),
                colours=_LEVELS,
                height=58,
            ),
        ),
        (
            groups(
                "Scores by touchpoint",
                d.EVIDENCE,
                ("touchpoint_name", "dimension", "kind"),
                _SCORE,
                "Asked is what people said, observed what was seen in what happened. The lowest first.",
                order=("score", True),
                width=7,
            ),
            bars(
                "Where evidence comes from",
                d.EVIDENCE,
                "touchpoint_name",
                ("pieces",),
                "Pieces of evidence (n), asked and observed.",
                by=("kind",),
                stack=True,
                horizontal=True,
                sort=("pieces", True),
                width=5,
            ),
        ),
        (
            rows(
                "Apart from the others",
                d.CONSISTENCY,
                ("touchpoint_name", "kind", "unit", "mean", "n", "low_95", "high_95", "overall", "where_it_lies"),
                "Stores, partners, queues and staff (as pseudonyms), last 28 days. By chance alone, 95 of 100 "
                "lie between "
                "the two limits.",
                order=(("mean", True),),
                colours=(("where_it_lies", "=", "far below", RED), ("where_it_lies", "=", "below", YELLOW)),
                width=7,
            ),
            rows(
                "Did it go as expected?",
                d.EXPECTATIONS,
                ("week", "touchpoint_name", "met", "met_low", "met_high", "n", "measure", "target"),
                "Share of interactions, by week, whose measure was as good as customers expect, or better.",
                order=(("week", False), ("met", True)),
                width=5,
            ),
        ),
    ),
    (
        period(28),
        choice(d.CATALOGUE, "channel"),
        choice(d.CATALOGUE, "touchpoint_name"),
        choice(d.CATALOGUE, "owner"),
    ),
)
