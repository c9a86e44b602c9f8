"""Whether the figures can be trusted: the ledger, lag, what was rejected."""

from __future__ import annotations

from pipeline.local.bi import datasets as d
from pipeline.local.bi.charts import (
    RED,
    Dashboard,
    bars,
    choice,
    groups,
    lines,
    number,
    period,
    rows,
)

_SUMS = ("sum_received", "sum_carried", "sum_rekeyed", "sum_stored", "sum_duplicates", "sum_rejected", "sum_erased")

QUALITY = Dashboard(
    "throughline-quality",
    "Data quality",
    "Whether the figures can be trusted. **The ledger adds up** when *off by* is 0: received + carried over + "
    "re-keyed = stored + "
    "duplicates + rejected + erased + on the way, since counting began. *On the way* is the pipeline's lag, in events; "
    "delays are those of the sources, of the last 7 days at most. Hours are by the clock of the business.",
    (
        (
            number("Received", d.LEDGER, "sum_received", "records, since counting began"),
            number("On the way", d.LEDGER, "sum_on_the_way", "not in ClickHouse yet (lag)"),
            number("The ledger is off by", d.LEDGER, "sum_off", "events; 0: it adds up"),
            number("Rejected", d.REJECTIONS, "records_rejected", "records, in the period chosen"),
        ),
        (
            groups(
                "The ledger, by channel",
                d.LEDGER,
                ("channel",),
                (*_SUMS, "sum_on_the_way", "sum_off"),
                "What became of all that was received.",
                order=("sum_received", False),
                colours=(("sum_off", ">", 0, RED),),
                height=42,
            ),
        ),
        (
            bars(
                "Rejected, by reason",
                d.REJECTIONS,
                "day",
                ("records_rejected",),
                "Records that could not be used.",
                by=("reason",),
                stack=True,
                width=4,
            ),
            rows(
                "What was rejected last",
                d.REJECTIONS,
                ("rejected_at", "reason", "detail", "topic", "partition", "offset", "bytes"),
                "Topic, partition and offset name the record; it can be repaired and replayed.",
                order=(("rejected_at", False),),
                width=8,
            ),
        ),
        (
            lines(
                "How late the sources are",
                d.ARRIVALS,
                "hour",
                ("worst_delay",),
                "95 of 100 interactions were received within this time of happening, by hour, seconds (the "
                "slowest source).",
                by=("channel",),
                logarithmic=True,
                y_title="seconds",
            ),
            groups(
                "Who sends, and who is silent",
                d.ARRIVALS,
                ("source", "channel"),
                ("arrived", "median_delay", "worst_delay", "last_arrival", "hours_silent"),
                "Sources of the last 7 days, the one that is silent for longest first.",
                order=("hours_silent", False),
                width=6,
            ),
        ),
    ),
    (period(28), choice(d.CATALOGUE, "channel"), choice(d.ARRIVALS, "source"), choice(d.REJECTIONS, "reason")),
)
