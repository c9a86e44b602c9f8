"""The datasets of the dashboards: what the queries in deploy/superset/datasets give, and the figures made of it.

A figure that is a mean or a share has its number of cases and its 95 % interval beside it, right for whatever rows are
put together; with fewer than 2 cases a mean has no interval.
"""

from __future__ import annotations

from pipeline.local.bi import datasets_analyses
from pipeline.local.bi.charts import DECIMAL, DURATION, NUMBER, SCORE, SHARE, Column, Dataset, Metric

_Z, _ZZ = "1.959963984540054", "3.8414588206941996"


def _wilson(name: str, label: str, k: str, n: str) -> tuple[Metric, ...]:
    """A share with the ends of its interval (Wilson); null without cases."""
    middle = f"({k} / {n} + {_ZZ} / 2 / {n}) / (1 + {_ZZ} / {n})"
    margin = f"{_Z} * sqrt({k} / {n} * (1 - {k} / {n}) / {n} + {_ZZ} / 4 / {n} / {n}) / (1 + {_ZZ} / {n})"
    return (
        Metric(name, label, f"if({n} = 0, NULL, {k} / {n})", SHARE),
        Metric(f"{name}_low", f"{label} from", f"if({n} = 0, NULL, {middle} - {margin})", SHARE),
        Metric(f"{name}_high", f"{label} to", f"if({n} = 0, NULL, {middle} + {margin})", SHARE),
    )


def _texts(*pairs: tuple[str, str]) -> tuple[Column, ...]:
    return tuple(Column(name, label) for name, label in pairs)


def _numbers(number_format: str, *pairs: tuple[str, str]) -> tuple[Column, ...]:
    return tuple(Column(name, label, "number", number_format) for name, label in pairs)


def _closed_within(share: float) -> str:
    """Hours within which this share of the closed complaints was closed; null where none was."""
    return f"if({_CLOSED} = 0, NULL, quantileExactIf({share})(ifNull(closed_h, 0), closed_h IS NOT NULL))"


TOUCHPOINT = Column("touchpoint_name", "Touchpoint")
CHANNEL = Column("channel", "Channel")
OWNER = Column("owner", "Owner")
DAY = Column("day", "Day", "day")

_CLOSED = "countIf(closed_h IS NOT NULL)"
_MARGIN = f"{_Z} * sqrt(greatest(sum(squares) - sum(total) * sum(total) / sum(n), 0) / (sum(n) - 1) / sum(n))"
EVIDENCE = Dataset(
    "evidence",
    (
        DAY,
        TOUCHPOINT,
        CHANNEL,
        OWNER,
        *_texts(("touchpoint", "Touchpoint id"), ("dimension", "Dimension"), ("kind", "Evidence")),
        *_numbers(NUMBER, ("n", "n"), ("total", "Sum of scores"), ("squares", "Sum of squares")),
    ),
    (
        Metric("pieces", "n", "sum(n)"),
        Metric("score", "Score", "sum(total) / sum(n)", SCORE),
        Metric("score_low", "95 % from", f"if(sum(n) < 2, NULL, greatest(sum(total) / sum(n) - {_MARGIN}, 0))", SCORE),
        Metric("score_high", "95 % to", f"if(sum(n) < 2, NULL, least(sum(total) / sum(n) + {_MARGIN}, 100))", SCORE),
    ),
    "day",
)
CATALOGUE = Dataset("catalogue", (TOUCHPOINT, OWNER, CHANNEL))
TRAFFIC = Dataset(
    "traffic",
    (DAY, TOUCHPOINT, CHANNEL, OWNER, *_numbers(NUMBER, ("interactions", "Interactions"))),
    (Metric("all_interactions", "Interactions", "sum(interactions)"),),
    "day",
)
SURVEYS = Dataset(
    "surveys",
    (
        Column("week", "Week from", "day"),
        TOUCHPOINT,
        CHANNEL,
        OWNER,
        *_numbers(NUMBER, ("nps_n", "NPS n"), ("csat_n", "Satisfied n"), ("ces_n", "Effort n")),
        *_numbers(SCORE, ("nps", "NPS"), ("nps_low", "NPS from"), ("nps_high", "NPS to")),
        *_numbers(SHARE, ("csat", "Satisfied"), ("csat_low", "Satisfied from"), ("csat_high", "Satisfied to")),
        *_numbers(DECIMAL, ("ces", "Effort 1–7"), ("ces_low", "Effort from"), ("ces_high", "Effort to")),
    ),
    (Metric("answers_given", "Answers", "sum(nps_n) + sum(csat_n) + sum(ces_n)"),),
    "week",
)
EXPECTATIONS = Dataset(
    "expectations",
    (
        Column("week", "Week from", "day"),
        TOUCHPOINT,
        CHANNEL,
        OWNER,
        *_texts(("measure", "Expected of")),
        *_numbers(DECIMAL, ("target", "Target"), ("gap", "Worse by, on average")),
        *_numbers(DECIMAL, ("gap_low", "Worse from"), ("gap_high", "Worse to")),
        *_numbers(SHARE, ("met", "As expected"), ("met_low", "Share from"), ("met_high", "Share to")),
        *_numbers(NUMBER, ("n", "n")),
    ),
    (),
    "week",
)
DOTS = Dataset(
    "dots",
    (
        TOUCHPOINT,
        *_texts(("touchpoint", "Touchpoint id"), ("dot", "Dot"), ("reason", "Why")),
        OWNER,
        *_texts(("when_red", "What to do when it is red"), ("layer", "Layer")),
        *_numbers(NUMBER, ("urgency", "Urgency"), ("n", "n")),
        *_numbers(DECIMAL, ("value", "Value"), ("low", "95 % from"), ("high", "95 % to")),
    ),
    (
        Metric("touchpoints_red", "Red", "countIf(dot = 'red')"),
        Metric("touchpoints_yellow", "Yellow", "countIf(dot = 'yellow')"),
        Metric("touchpoints_grey", "Nobody can say", "countIf(dot = 'grey')"),
        Metric("touchpoints_all", "Touchpoints", "count()"),
    ),
)
CONSISTENCY = Dataset(
    "consistency",
    (
        TOUCHPOINT,
        OWNER,
        *_texts(("kind", "Kind"), ("unit", "Which one"), ("where_it_lies", "Where it lies")),
        *_numbers(NUMBER, ("n", "n")),
        *_numbers(SCORE, ("mean", "Score"), ("overall", "All of them")),
        *_numbers(SCORE, ("low_95", "Chance from"), ("high_95", "Chance to")),
    ),
)
CONTROL = Dataset(
    "control",
    (
        DAY,
        TOUCHPOINT,
        OWNER,
        *_texts(("dimension", "Dimension"), ("line", "Chart")),
        *_numbers(NUMBER, ("n", "n"), ("broken", "Outside")),
        *_numbers(DECIMAL, ("mean", "Score of the day"), ("ewma", "Moving average")),
        *_numbers(DECIMAL, ("low", "Limit from"), ("high", "Limit to")),
    ),
    (Metric("out_of_limits", "Out of their limits", "uniqExactIf(line, broken = 1 AND day >= today() - 7)"),),
)
QUEUES = Dataset(
    "queues",
    (
        Column("interval_start", "Interval", "time"),
        DAY,
        TOUCHPOINT,
        CHANNEL,
        OWNER,
        *_texts(("queue", "Queue"), ("hour_of_day", "Hour of the day")),
        *_numbers(NUMBER, ("offered", "Offered"), ("answered", "Answered"), ("abandoned", "Abandoned")),
        *_numbers(NUMBER, ("waits", "Waits"), ("wait_sum_s", "Sum of waits, s")),
        *_numbers(NUMBER, ("handles", "Handled"), ("handle_sum_s", "Sum of handle times, s")),
        *_numbers(NUMBER, ("answered_within", "Answered in time"), ("abandoned_within", "Hung up at once")),
    ),
    (
        Metric("all_offered", "Contacts offered (n)", "sum(offered)"),
        Metric("all_answered", "Got an answer", "sum(answered)"),
        Metric("all_abandoned", "Hung up", "sum(abandoned)"),
        Metric("answer_speed", "Wait for an answer, s", "sum(wait_sum_s) / nullIf(sum(waits), 0)", NUMBER),
        Metric("waits_known", "Waits known (n)", "sum(waits)"),
        Metric("handle_time", "Handle time, s", "sum(handle_sum_s) / nullIf(sum(handles), 0)", NUMBER),
        Metric("handles_known", "Handle times known (n)", "sum(handles)"),
        *_wilson("abandonment", "Gave up", "sum(abandoned)", "sum(offered)"),
        *_wilson("service_level", "In time", "sum(answered_within)", "sum(offered)"),
    ),
    "day",
)
WAITING = Dataset(
    "waiting",
    (
        CHANNEL,
        TOUCHPOINT,
        OWNER,
        *_texts(("queue", "Queue")),
        *_numbers(NUMBER, ("waiting", "Waiting"), ("longest_wait_s", "Longest wait, s")),
    ),
    (Metric("people_waiting", "Waiting now", "sum(waiting)"),),
)
STEPS = Dataset(
    "steps",
    (
        *_texts(("journey_name", "Journey"), ("step", "Step"), ("journey_step", "Journey and step")),
        *_numbers(NUMBER, ("position", "Position"), ("persons", "Persons"), ("interactions", "Interactions")),
        *_numbers(NUMBER, ("went_on", "Went on"), ("dropped_off", "Not (yet)"), ("experiences", "Score n")),
        *_numbers(
            SHARE, ("went_on_share", "Went on, share"), ("went_on_low", "Share from"), ("went_on_high", "Share to")
        ),
        *_numbers(DURATION, ("median_ms", "Median time")),
        *_numbers(SCORE, ("score", "Score"), ("score_low", "Score from"), ("score_high", "Score to")),
    ),
    (
        Metric("went_on_persons", "Went on", "sum(went_on)"),
        Metric("dropped_persons", "Did not, or not yet", "sum(dropped_off)"),
        Metric("last_persons", "Came to the last step", "sumIf(persons, went_on IS NULL)"),
        Metric("step_persons", "Persons", "sum(persons)"),
    ),
)
WAYS = Dataset(
    "ways",
    (
        *_texts(("journey_name", "Journey"), ("step", "From"), ("next", "To"), ("way", "Way")),
        *_numbers(NUMBER, ("persons", "Persons at the first"), ("went_on", "Took it")),
        *_numbers(SHARE, ("went_on_share", "Share"), ("went_on_low", "Share from"), ("went_on_high", "Share to")),
        *_numbers(DURATION, ("median_ms", "Median time")),
    ),
    (Metric("went_persons", "Persons", "sum(went_on)"),),
)
COMPLAINTS = Dataset(
    "complaints",
    (
        Column("received_day", "Received on", "day"),
        Column("received_at", "Received (UTC)", "time"),
        TOUCHPOINT,
        CHANNEL,
        OWNER,
        *_texts(("complaint", "Complaint"), ("person", "Person"), ("issue", "Issue")),
        *_texts(("stage", "Stage reached"), ("overdue", "Overdue stage"), ("root_cause", "Root cause")),
        *_numbers(DECIMAL, ("age_h", "Age, hours"), ("allowed_h", "Allowed, hours")),
        *_numbers(DECIMAL, ("closed_h", "Hours to close"), ("acknowledged_h", "Hours to acknowledge")),
        *_numbers(NUMBER, ("reopened", "Reopened"), ("is_open", "Open"), ("is_overdue", "Overdue")),
    ),
    (
        Metric("received", "Complaints", "count()"),
        Metric("open_now", "Still open", "sum(is_open)"),
        Metric("overdue_now", "Past their time", "sum(is_overdue)"),
        Metric("closed_n", "Closed (n)", _CLOSED),
        Metric(
            "close_median_h",
            "Median hours to close",
            _closed_within(0.5),
            DECIMAL,
        ),
        Metric(
            "close_90_h",
            "9 of 10 within, hours",
            _closed_within(0.9),
            DECIMAL,
        ),
    ),
    "received_day",
)
ALERTS = Dataset(
    "alerts",
    (
        Column("opened_at", "Opened (UTC)", "time"),
        TOUCHPOINT,
        OWNER,
        *_texts(("kind", "Kind"), ("state", "State"), ("subject", "About"), ("reason", "Why")),
        *_texts(("assigned_to", "Assigned to"), ("what_to_do", "What to do")),
        *_numbers(DECIMAL, ("value", "Figure"), ("low", "95 % from"), ("high", "95 % to")),
        *_numbers(NUMBER, ("n", "n")),
        *_numbers(DECIMAL, ("open_h", "Open for, hours")),
    ),
    (
        Metric("alerts_now", "Alerts", "count()"),
        Metric("alerts_untouched", "Nobody has taken on", "countIf(state = 'open')"),
    ),
)
CUSTOMERS = Dataset(
    "customers",
    (
        Column("day", "Newest evidence (UTC)", "day"),
        *_texts(("person", "Person"), ("trend", "Trend"), ("at_risk_reason", "Why at risk")),
        *_texts(("worst_touchpoint", "Worst touchpoint lately"), ("overall_band", "Score of 100")),
        *_numbers(SCORE, ("overall", "Overall"), ("effectiveness", "Effectiveness"), ("ease", "Ease")),
        *_numbers(SCORE, ("emotion", "Emotion"), ("worst_value", "Score there")),
        *_numbers(NUMBER, ("overall_n", "Overall n"), ("effectiveness_n", "Effectiveness n"), ("ease_n", "Ease n")),
        *_numbers(NUMBER, ("emotion_n", "Emotion n"), ("worst_n", "n there"), ("repeat_contacts", "Repeat contacts")),
        *_numbers(NUMBER, ("at_risk", "At risk")),
    ),
    (
        Metric("people", "Persons (n)", "count()"),
        Metric("people_at_risk", "Persons at risk", "sum(at_risk)"),
        Metric("people_falling", "Falling trend", "countIf(trend = 'falling')"),
        *_wilson("risk_share", "Share at risk", "sum(at_risk)", "count()"),
    ),
)
LEDGER = Dataset(
    "ledger",
    (
        CHANNEL,
        *_numbers(NUMBER, ("partition", "Partition"), ("received", "Received"), ("carried", "Carried over")),
        *_numbers(NUMBER, ("rekeyed", "Re-keyed"), ("stored", "Stored"), ("duplicates", "Duplicates")),
        *_numbers(NUMBER, ("rejected", "Rejected"), ("erased", "Erased"), ("on_the_way", "On the way")),
        *_numbers(NUMBER, ("off_by", "Off by")),
    ),
    (
        Metric("sum_received", "Received", "sum(received)"),
        Metric("sum_carried", "Carried over", "sum(carried)"),
        Metric("sum_rekeyed", "Re-keyed", "sum(rekeyed)"),
        Metric("sum_stored", "Stored", "sum(stored)"),
        Metric("sum_duplicates", "Duplicates", "sum(duplicates)"),
        Metric("sum_rejected", "Rejected", "sum(rejected)"),
        Metric("sum_erased", "Erased", "sum(erased)"),
        Metric("sum_on_the_way", "On the way", "sum(on_the_way)"),
        Metric("sum_off", "Off by", "sum(abs(off_by))"),
    ),
)
REJECTIONS = Dataset(
    "rejections",
    (
        Column("rejected_at", "At (UTC)", "time"),
        DAY,
        CHANNEL,
        *_texts(("reason", "Reason"), ("detail", "What exactly"), ("topic", "Topic")),
        *_numbers(NUMBER, ("partition", "Partition"), ("offset", "Offset"), ("bytes", "Bytes")),
    ),
    (Metric("records_rejected", "Rejected", "count()"), Metric("last_rejected", "Last (UTC)", "max(rejected_at)", "")),
    "day",
)
ARRIVALS = Dataset(
    "arrivals",
    (
        Column("hour", "Hour", "time"),
        DAY,
        CHANNEL,
        *_texts(("source", "Source")),
        Column("received_last_at", "Last received (UTC)", "time"),
        *_numbers(NUMBER, ("interactions", "Interactions")),
        *_numbers(DECIMAL, ("delay_median_s", "Median delay, s"), ("delay_95_s", "95 of 100 in the hour within, s")),
        *_numbers(DECIMAL, ("silent_h", "Silent for, hours")),
    ),
    (
        Metric("arrived", "Interactions (n)", "sum(interactions)"),
        Metric("median_delay", "Half within, s", "quantileExact(0.5)(delay_median_s)", NUMBER),
        Metric("worst_delay", "95 of 100 within, s", "max(delay_95_s)", NUMBER),
        Metric("last_arrival", "Last received (UTC)", "max(received_last_at)", ""),
        Metric("hours_silent", "Silent for, hours", "min(silent_h)", DECIMAL),
    ),
    "day",
)
DATASETS = (
    *(
        EVIDENCE,
        TRAFFIC,
        SURVEYS,
        EXPECTATIONS,
        DOTS,
        CONSISTENCY,
        CONTROL,
        QUEUES,
        WAITING,
        STEPS,
        WAYS,
        COMPLAINTS,
        ALERTS,
        CUSTOMERS,
    ),
    *(LEDGER, REJECTIONS, ARRIVALS, CATALOGUE),
    *datasets_analyses.DATASETS,
)
