"""How people are served when they wait or complain: queues, complaints, alerts."""

from __future__ import annotations

from pipeline.local.bi import datasets as d
from pipeline.local.bi.charts import (
    Dashboard,
    bars,
    choice,
    groups,
    lines_over_bars,
    number,
    period,
    present,
    rows,
)

QUEUES = Dashboard(
    "throughline-queues",
    "Queues",
    "Who waits, how long, and who gives up, in the period chosen above. *In time* is answered within the time of the "
    "business (`service_level_s`), of all that were offered. Hours are by the clock of the business.",
    (
        (
            number("Waiting now", d.WAITING, "people_waiting", "in all queues"),
            number("Contacts offered", d.QUEUES, "all_offered", "answered or hung up, in the period"),
            number("Hung up", d.QUEUES, "all_abandoned", "before somebody answered"),
            number("Answered", d.QUEUES, "all_answered", "by somebody"),
        ),
        (
            lines_over_bars(
                "Answered in time",
                d.QUEUES,
                "day",
                ("service_level", "service_level_low", "service_level_high"),
                ("all_offered",),
                "Share of the offered that was answered in time, with its 95 % interval (Wilson); bars: contacts "
                "offered.",
                bounds=(0, 1),
                y_title="share in time",
            ),
            lines_over_bars(
                "Abandoned",
                d.QUEUES,
                "day",
                ("abandonment", "abandonment_low", "abandonment_high"),
                ("all_offered",),
                "Share of the offered that hung up, with its 95 % interval (Wilson); bars: contacts offered.",
                bounds=(0, None),
                y_title="share abandoned",
            ),
            lines_over_bars(
                "Waiting for an answer",
                d.QUEUES,
                "day",
                ("answer_speed",),
                ("waits_known",),
                "Mean wait of those who were answered, seconds; bars: how many waits are known.",
                bounds=(0, None),
                y_title="seconds",
            ),
        ),
        (
            groups(
                "By queue",
                d.QUEUES,
                ("queue", "channel"),
                (
                    *("all_offered", "service_level", "service_level_low", "service_level_high"),
                    *("abandonment", "abandonment_low", "abandonment_high"),
                    *("answer_speed", "waits_known", "handle_time", "handles_known"),
                ),
                "Shares are of the contacts offered, with their 95 % intervals.",
                order=("all_offered", False),
                height=36,
            ),
        ),
        (
            bars(
                "When they come",
                d.QUEUES,
                "hour_of_day",
                ("all_answered", "all_abandoned"),
                "Contacts by hour of the day, answered and abandoned.",
                stack=True,
                sort=("hour_of_day", True),
                width=6,
                y_title="contacts",
            ),
            lines_over_bars(
                "How long they wait, by hour of the day",
                d.QUEUES,
                "hour_of_day",
                ("answer_speed",),
                ("waits_known",),
                "Mean wait of those who were answered, seconds; bars: how many waits are known.",
                bounds=(0, None),
                y_title="seconds",
                width=6,
            ),
        ),
    ),
    (
        period(28),
        choice(d.QUEUES, "queue"),
        choice(d.CATALOGUE, "channel"),
        choice(d.CATALOGUE, "touchpoint_name"),
        choice(d.CATALOGUE, "owner"),
    ),
)

COMPLAINTS = Dashboard(
    "throughline-complaints",
    "Complaints and alerts",
    "What people complain of and how soon it is dealt with, in the period of receipt chosen above; and, whatever the "
    "period, all complaints that are open now, and what somebody should look at now.",
    (
        (
            present(number("Complaints open", d.COMPLAINTS, "open_now", "received and not closed, now")),
            present(number("Complaints overdue", d.COMPLAINTS, "overdue_now", "past the time of their next stage")),
            number("Alerts", d.ALERTS, "alerts_now", "open or acknowledged"),
            number("Not taken on", d.ALERTS, "alerts_untouched", "alerts that nobody acknowledged"),
        ),
        (
            bars(
                "Complaints received",
                d.COMPLAINTS,
                "received_day",
                ("received",),
                "By day of receipt and channel.",
                by=("channel",),
                stack=True,
                width=4,
            ),
            groups(
                "How soon complaints are closed",
                d.COMPLAINTS,
                ("touchpoint_name",),
                ("received", "open_now", "overdue_now", "close_median_h", "close_90_h", "closed_n"),
                "By touchpoint at which they were received. The hours are of those closed: n.",
                order=("received", False),
                width=5,
            ),
            groups(
                "Root causes",
                d.COMPLAINTS,
                ("root_cause",),
                ("received",),
                "Of complaints that were closed, as they were closed.",
                order=("received", False),
                where=(("is_open", "==", 0),),
                width=3,
            ),
        ),
        (
            present(
                rows(
                    "Complaints that are open",
                    d.COMPLAINTS,
                    (
                        *("overdue", "complaint", "person", "issue", "touchpoint_name", "owner", "stage", "age_h"),
                        "allowed_h",
                    ),
                    "The overdue first, then the oldest. Allowed are the hours within which the overdue stage is due.",
                    order=(("is_overdue", False), ("age_h", False)),
                    where=(("is_open", "==", 1),),
                )
            ),
        ),
        (
            rows(
                "Alerts to look at",
                d.ALERTS,
                (
                    *("opened_at", "kind", "state", "subject", "reason", "value", "low", "high", "n"),
                    *("assigned_to", "what_to_do", "open_h"),
                ),
                "The oldest first: why, on what figure (with n and interval), whose it is, and what to do.",
                order=(("opened_at", True),),
                height=62,
            ),
        ),
    ),
    (
        period(90),
        choice(d.CATALOGUE, "channel"),
        choice(d.CATALOGUE, "touchpoint_name"),
        choice(d.CATALOGUE, "owner"),
    ),
)
