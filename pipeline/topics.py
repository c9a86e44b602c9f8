"""The flow as data: every topic once, with its key, schema, cleanup, writers and readers.

Decisions
- 2026-11-24 What a newer record or a tombstone replaced is gone from a compacted topic within a day
  (`max.compaction.lag.ms`). Kafka cleans closed segments only, and closes one at the first record that comes after
  `segment.ms`: so where nothing at all is written, the last segment keeps what it has until something is.
- 2026-11-24 interactions.rejected is compacted as well: a dead letter is taken out by a tombstone under its key.
- 2026-11-26 observations name no customer and are few, so they stay as long as a dot may look back (a year, and some):
  a ClickHouse that is made anew has them. Only collect and serve write them, and mask; the sink judges each again.
- 2026-11-27 outcomes are of persons: they stay as long as timelines, and an erasure trims them for everybody as well,
  when ClickHouse has them all. Only collect and `import` write them, identifiers keyed; the sink judges each again, and
  drops what is of somebody who was erased, which it hears of in identity.orders.
- 2026-11-27 changes name no customer and are few: they stay as long as observations, with which they are compared.
- 2026-11-27 serve writes to interactions.phone what agents note at the desk: an event like any other, judged before it
  is written as collect judges, and again by stitch.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.domain.interaction import CHANNELS

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
COMPACTED_MS_MAX = DAY_MS  # in a compacted topic: until a replaced record is gone from disk
SEGMENT_MS = 6 * HOUR_MS  # then a new segment begins, so that the one before can be compacted in time


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `partitions` None means as many as there are partition numbers (setting)."""

    name: str
    key: str
    schema: str  # a file of schemas/avro without its ending, or 'messagepack' for what stays inside
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    cleanup: str = "delete"  # or 'compact', or 'compact,delete'
    retention_ms: int = -1  # −1: kept until compacted, or deleted behind the readers' committed offsets
    partitions: int | None = None
    log_append_time: bool = False  # the broker's clock, so that history can be imported
    delete_committed: bool = False  # records are deleted once every reader has committed them
    read_whole: bool = False  # each reader starts from the beginning, and commits nothing: there is no lag
    config: dict[str, str] = field(default_factory=dict)

    @property
    def configuration(self) -> dict[str, str]:
        """What the broker is told of it."""
        config = {"cleanup.policy": self.cleanup, "retention.ms": str(self.retention_ms)}
        if "compact" in self.cleanup.split(","):
            config |= {"max.compaction.lag.ms": str(COMPACTED_MS_MAX), "segment.ms": str(SEGMENT_MS)}
        if self.log_append_time:
            config["message.timestamp.type"] = "LogAppendTime"
        return config | self.config


def written_by(stage: str) -> tuple[Topic, ...]:
    """The topics that a stage writes."""
    return tuple(topic for topic in TOPICS if stage in topic.writers)


def channel_topic(channel: str) -> str:
    """The topic in which a channel's events arrive."""
    return f"interactions.{channel}"


NOTED_ON = "phone"  # the channel of what agents note

CHANNEL_TOPICS = tuple(
    Topic(
        name=channel_topic(channel),
        key="strongest identifier",
        schema=f"interaction_{channel}",
        writers=("collect", "backends", *(("serve",) if channel == NOTED_ON else ())),
        readers=("stitch",),
        retention_ms=30 * DAY_MS,
        log_append_time=True,
    )
    for channel in CHANNELS
)
INBOX = Topic(
    "profiles.inbox",
    "receiving identifier",
    "messagepack",
    ("stitch", "identify", "rescore"),
    ("stitch",),
    delete_committed=True,
)
EVIDENCE = Topic(
    "identity.evidence",
    "weak identifier, or order_id",
    "messagepack",
    ("stitch", "serve"),
    ("identify",),
    partitions=1,
    delete_committed=True,
)
STITCH_CHANGELOG = Topic(
    "stitch.changelog", "state key", "messagepack", ("stitch",), ("stitch",), cleanup="compact", read_whole=True
)
IDENTIFY_CHANGELOG = Topic(
    "identify.changelog",
    "state key",
    "messagepack",
    ("identify",),
    ("identify",),
    cleanup="compact",
    partitions=1,
    read_whole=True,
)
TIMELINES = Topic("timelines", "identifier", "timeline_entry", ("stitch",), ("store",), retention_ms=30 * DAY_MS)
IDENTITIES = Topic("identities", "identifier", "identity", ("identify",), ("store",), cleanup="compact")
CUSTOMER_SCORES = Topic(
    "scores.customers", "person, day, definition", "customer_score", ("stitch",), ("store",), cleanup="compact"
)
TOUCHPOINT_SCORES = Topic("scores.touchpoints", "cell", "touchpoint_score", ("stitch",), ("store",), cleanup="compact")
TALLIES = Topic("tallies", "channel, partition", "tally", ("stitch",), ("store",), cleanup="compact")
REJECTED = Topic(
    "interactions.rejected",
    "origin",
    "rejected",
    ("stitch", "serve"),  # serve: only tombstones, for what was of somebody who is erased
    ("store",),
    cleanup="compact,delete",
    retention_ms=90 * DAY_MS,
)
ALERTS = Topic("alerts", "alert_id", "alert", ("identify", "alert"), ("store",), cleanup="compact")
ALERT_ACTIONS = Topic(  # what people do about alerts
    "alerts.actions", "alert_id", "json", ("serve",), ("alert",), partitions=1, retention_ms=7 * DAY_MS
)
OBSERVATIONS = Topic(
    "observations",
    "source, observation_id",
    "observation",
    ("collect", "serve"),
    ("store",),
    retention_ms=400 * DAY_MS,
    log_append_time=True,
)
OUTCOMES = Topic(
    "outcomes",
    "source, outcome_id",
    "outcome",
    ("collect", "import"),
    ("store",),
    retention_ms=30 * DAY_MS,
    log_append_time=True,
)
CHANGES = Topic(
    "changes",
    "change_id",
    "change",
    ("serve",),
    ("store",),
    partitions=1,
    retention_ms=400 * DAY_MS,
    log_append_time=True,
)
AUDIT = Topic("audit", "audit_id", "audit", ("serve",), ("store",), retention_ms=400 * DAY_MS)
IDENTITY_ORDERS = Topic(
    "identity.orders",
    "order_id",
    "json",
    ("identify",),
    ("stitch", "identify", "alert", "store"),
    cleanup="compact",
    partitions=1,
    read_whole=True,
)
DEFINITIONS = Topic(
    "definitions",
    "number",
    "json",
    ("prepare", "rescore"),
    ("stitch",),
    cleanup="compact",
    partitions=1,
    read_whole=True,
)
ROUTES = Topic(
    "routes",
    "partition number",
    "json",
    ("stitch", "alert"),
    ("serve",),
    cleanup="compact",
    partitions=1,
    read_whole=True,
)

TOPICS: tuple[Topic, ...] = (
    *CHANNEL_TOPICS,
    INBOX,
    EVIDENCE,
    STITCH_CHANGELOG,
    IDENTIFY_CHANGELOG,
    TIMELINES,
    IDENTITIES,
    CUSTOMER_SCORES,
    TOUCHPOINT_SCORES,
    TALLIES,
    REJECTED,
    ALERTS,
    ALERT_ACTIONS,
    OBSERVATIONS,
    OUTCOMES,
    CHANGES,
    AUDIT,
    IDENTITY_ORDERS,
    DEFINITIONS,
    ROUTES,
)
