"""What people do and how they fare: journeys, customers at risk."""

from __future__ import annotations

from pipeline.local.bi import datasets as d
from pipeline.local.bi.charts import (
    Dashboard,
    bars,
    choice,
    groups,
    number,
    rows,
)

_JOURNEYS = ("journey_name", "step", "persons", "went_on", "went_on_share", "went_on_low", "went_on_high")

JOURNEYS = Dashboard(
    "throughline-journeys",
    "Journeys",
    "The ways that people take towards a goal, in the last 28 days: how many come to each step, how many go on "
    "(with the 95 % "
    "interval of the share), how soon, and how it was. Who came to a step a moment ago may still go on.",
    (
        (
            bars(
                "Who goes on from each step, and who does not",
                d.STEPS,
                "journey_step",
                ("went_on_persons", "dropped_persons", "last_persons"),
                "Persons at each step; from the last of a journey there is nothing to go on to.",
                stack=True,
                horizontal=True,
                sort=("journey_step", False),
                width=12,
                height=70,
            ),
        ),
        (
            rows(
                "Step by step",
                d.STEPS,
                (*_JOURNEYS, "dropped_off", "median_ms", "score", "score_low", "score_high", "experiences"),
                "Half of those who went on did so within the median time. The score rests on n experiences.",
                order=(("journey_name", True), ("position", True)),
                height=62,
            ),
        ),
        (
            bars(
                "The ways that most people take",
                d.WAYS,
                "way",
                ("went_persons",),
                "Persons who took each way at least once.",
                where=(("went_on", ">", 0),),
                horizontal=True,
                sort=("went_persons", True),
                width=5,
                height=62,
            ),
            rows(
                "Every way",
                d.WAYS,
                (
                    *(
                        "journey_name",
                        "step",
                        "next",
                        "went_on",
                        "persons",
                        "went_on_share",
                        "went_on_low",
                        "went_on_high",
                    ),
                    "median_ms",
                ),
                "Of the persons at the first step, who came to the other afterwards, and how soon.",
                order=(("journey_name", True), ("went_on", False)),
                width=7,
                height=62,
            ),
        ),
    ),
    (choice(d.STEPS, "journey_name"),),
)

CUSTOMERS = Dashboard(
    "throughline-customers",
    "Customers at risk",
    "Who may leave, and why. One severe bad experience is enough; so is a trend that falls. Persons are shown by "
    "their id: who "
    "they are is on the agent desk. Scores come with n, the pieces of evidence they rest on; who refuses "
    "analysis is not here.",
    (
        (
            number("At risk", d.CUSTOMERS, "people_at_risk", "persons who may leave"),
            number("Falling", d.CUSTOMERS, "people_falling", "persons whose trend falls"),
            number("Persons with scores", d.CUSTOMERS, "people", "of whom anything is known"),
            groups(
                "Share at risk",
                d.CUSTOMERS,
                (),
                ("risk_share", "risk_share_low", "risk_share_high", "people"),
                "With its 95 % interval (Wilson).",
                order=("people", False),
                width=3,
                height=22,
            ),
        ),
        (
            bars(
                "How persons are doing",
                d.CUSTOMERS,
                "overall_band",
                ("people", "people_at_risk"),
                "Persons by their overall score, and of them those at risk.",
                sort=("overall_band", True),
                y_title="persons",
            ),
            bars(
                "Where they were served worst",
                d.CUSTOMERS,
                "worst_touchpoint",
                ("people_at_risk",),
                "Persons at risk by the touchpoint that served them worst in the last 30 days.",
                where=(("at_risk", "==", 1),),
                horizontal=True,
                sort=("people_at_risk", True),
            ),
        ),
        (
            rows(
                "Persons at risk",
                d.CUSTOMERS,
                (
                    *("person", "at_risk_reason", "overall", "overall_n", "worst_touchpoint", "worst_value"),
                    *("worst_n", "trend", "repeat_contacts"),
                ),
                "The lowest overall score first.",
                order=(("overall", True),),
                where=(("at_risk", "==", 1),),
                height=62,
            ),
        ),
        (
            groups(
                "Trends",
                d.CUSTOMERS,
                ("trend",),
                ("people", "people_at_risk", "risk_share", "risk_share_low", "risk_share_high"),
                "Persons by the trend of their experiences, and the share at risk with its 95 % interval.",
                order=("people", False),
                height=30,
            ),
        ),
    ),
    (choice(d.CUSTOMERS, "worst_touchpoint"), choice(d.CUSTOMERS, "trend")),
)
