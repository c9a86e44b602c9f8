"""Every metric of Throughline, declared and described here, once; nothing else makes one.

Names begin with `throughline_` and end with their unit (`_seconds`, `_bytes`, `_total` for counts). Labels take values
from small closed sets only (channels, reasons, stages): never an identifier, a path or a text from outside.
"""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = CONTENT_TYPE_LATEST
Count = Counter  # the type, for who is handed one
_FAST_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

EVENTS_ACCEPTED = Counter(
    "throughline_events_accepted_total", "Events that the collector accepted: the broker has them.", ["channel"]
)
EVENTS_REJECTED = Counter(
    "throughline_events_rejected_total", "Events that the collector or stitch refused, by reason.", ["stage", "reason"]
)
EVENTS_DROPPED = Counter(
    "throughline_events_dropped_total",
    "Events and copies that stitch did not keep: about somebody who was erased after them, or who is blocked.",
    ["reason"],
)
OBSERVATIONS_ACCEPTED = Counter(
    "throughline_observations_accepted_total",
    "Observations that the collector or the desk accepted: the broker has them.",
    ["stage"],
)
OBSERVATIONS_REJECTED = Counter(
    "throughline_observations_rejected_total",
    "Observations that the collector, the desk or the sink refused, by reason.",
    ["stage", "reason"],
)
OUTCOMES_ACCEPTED = Counter(
    "throughline_outcomes_accepted_total", "Outcomes that the collector accepted: the broker has them."
)
OUTCOMES_REJECTED = Counter(
    "throughline_outcomes_rejected_total",
    "Outcomes that the collector or the sink refused, by reason.",
    ["stage", "reason"],
)
OUTCOMES_DROPPED = Counter(
    "throughline_outcomes_dropped_total",
    "Outcomes that the sink did not keep: of somebody who was erased after them, or who is blocked.",
    ["reason"],
)
CHANGES_RECORDED = Counter("throughline_changes_recorded_total", "Changes of touchpoints that serve has recorded.")
CHANGES_REJECTED = Counter(
    "throughline_changes_rejected_total", "Changes that serve or the sink refused, by reason.", ["stage", "reason"]
)
NOTES_ACCEPTED = Counter(
    "throughline_notes_accepted_total", "Events that agents noted at the desk: the broker has them.", ["type"]
)
COLLECT_SECONDS = Histogram(
    "throughline_collect_seconds",
    "From a request's arrival at the collector to its answer, the broker's acknowledgement included.",
    buckets=_FAST_S,
)
QUERY_SECONDS = Histogram(
    "throughline_query_seconds", "Answering a request to serve, by route.", ["route"], buckets=_FAST_S
)
LIVE_STREAMS = Gauge("throughline_live_streams", "Open live timelines.")
ROWS_STORED = Counter(
    "throughline_rows_stored_total", "Rows that ClickHouse acknowledged; resent ones count again.", ["table"]
)
HOURS_SUMMED = Counter(
    "throughline_hours_summed_total", "Hours that store summed up from cells; one that changed afterwards counts again."
)
STORE_SECONDS = Histogram(
    "throughline_store_seconds", "One insert into ClickHouse until its answer.", ["table"], buckets=_FAST_S
)
ALERTS_STANDING = Gauge("throughline_alerts_standing", "Alerts that are not resolved.", ["kind"])
ALERT_CHANGES = Counter("throughline_alert_changes_total", "What became of alerts.", ["kind", "change"])
ALERTS_HELD_BACK = Gauge(
    "throughline_alerts_held_back", "Causes without an alert at the last look, because too many alerts stand already."
)
LOOK_SECONDS = Histogram(
    "throughline_alert_look_seconds", "One look for causes of alerts.", buckets=(*_FAST_S, 10.0, 30.0)
)
WEBHOOK_REQUESTS = Counter(
    "throughline_webhook_requests_total",
    "Attempts to tell the webhook of an alert's change: delivered, retried (it failed, and is tried again), refused or "
    "given_up (the change was not delivered).",
    ["outcome"],
)


def exposition() -> bytes:
    """All metrics of this process in Prometheus' text format."""
    return generate_latest(REGISTRY)
