"""What analyses found: what drives experience, what it goes with, how people really go, what changes did."""

from __future__ import annotations

from pipeline.local.bi import datasets_analyses as d
from pipeline.local.bi.charts import BAD, Dashboard, bars, choice, groups, rows

_SHARE = ("share", "share_low", "share_high")

DRIVERS = Dashboard(
    "throughline-drivers",
    "Drivers",
    "What `throughline analyse …` found last: nothing here is live, and each table says of which days it is. It is "
    "association, not cause; *What to beware of* belongs to the figures. Nobody is in a group of fewer than 10 people.",
    (
        (
            bars(
                "What carries overall experience",
                d.DRIVERS,
                "driver",
                ("importance", "importance_low", "importance_high"),
                "Share of what all touchpoints explain together, with its 95 % interval.",
                horizontal=True,
                sort=("importance", True),
                width=8,
                height=56,
            ),
            groups(
                "How much is explained",
                d.DRIVERS,
                ("period",),
                ("explained", "explained_low", "explained_high", "people_asked"),
                "Of how overall experience differs from person to person.",
                order=("people_asked", False),
                width=4,
                height=56,
            ),
        ),
        (
            rows(
                "Importance and performance",
                d.DRIVERS,
                (
                    *("driver", *_SHARE, "importance_line", "performance", "performance_low", "performance_high"),
                    *("performance_line", "n", "quadrant", "chance", "coefficient", "coefficient_low"),
                    *("coefficient_high", "weight", "vif", "caveats"),
                ),
                "Improve first what carries much and does badly. From an inflation of 5 on others say the same.",
                order=(("position", True),),
                colours=(("quadrant", "==", "improve first", BAD),),
            ),
        ),
        (
            rows(
                "Who fares differently",
                d.SEGMENTS,
                (
                    *("trait", "segment", "mean", "mean_low", "mean_high", "n", "difference", "difference_low"),
                    *("difference_high", "p_corrected", "verdict", "period", "caveats"),
                ),
                "Segments of people against all others, corrected for how many were looked at.",
                order=(("difference", True),),
            ),
        ),
        (
            rows(
                "What experience goes with in the days after",
                d.LINK_EFFECTS,
                (
                    *("outcome", "effect", "effect_low", "effect_high", "unit", "n", "verdict", "control_verdict"),
                    *("spearman", "spearman_low", "spearman_high", "reason", "period", "caveats"),
                ),
                "Per 10 points of experience, tenure and earlier spend equal. Where the negative control fails, "
                "customers differ in other ways too.",
                order=(("position", True),),
                height=42,
            ),
        ),
        (
            rows(
                "What changes did",
                d.CHANGE_EFFECTS,
                (
                    *("changed_on", "touchpoint_name", "what", "verdict", "effect", "effect_low", "effect_high"),
                    *("others", "before", "before_low", "before_high", "before_n", "after", "after_low", "after_high"),
                    *("after_n", "reason", "beware"),
                ),
                "Less what touchpoints did on the same days that were not changed.",
                order=(("changed_on", False),),
                height=42,
            ),
        ),
        (
            bars(
                "Where journeys end before their end",
                d.PATHS,
                "name",
                ("people_lost", "people_there"),
                "People whose run through the journey ended at a step that is not its last.",
                where=(("part", "==", "dropped"),),
                horizontal=True,
                sort=("people_lost", True),
                width=5,
                height=62,
            ),
            rows(
                "Who contacts us soon after what",
                d.PATHS,
                (
                    "after",
                    "from_channel_or_step",
                    "to_channel_or_step",
                    "issue",
                    "times",
                    "n",
                    "handle_h",
                    "cost",
                    "currency",
                ),
                "A contact in another channel soon after (an hour, where nothing else was said): its issue, the "
                "work, and the cost where the catalogue says one.",
                order=(("times", False),),
                where=(("part", "==", "contact"),),
                width=7,
                height=62,
            ),
        ),
        (
            rows(
                "Ways that nobody designed",
                d.PATHS,
                ("journey", "what", "n", "of_n", *_SHARE, "period"),
                "Of the people on the journey, each counted once.",
                order=(("n", False),),
                where=(("part", "==", "move"), ("design", "==", "no")),
            ),
        ),
        (
            rows(
                "The paths that most people take",
                d.PATHS,
                ("name", "n", "of_n", *_SHARE, "period", "caveats"),
                "Of the people on the journey. Paths of fewer than 10 people are put together.",
                order=(("n", False),),
                where=(("part", "==", "path"),),
            ),
        ),
    ),
    (choice(d.PATHS, "journey"), choice(d.SEGMENTS, "trait"), choice(d.DRIVERS, "quadrant")),
)
