"""What an app says of itself to the engine: topics, partition numbers, places, limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the engine. A batch is as large as what waits, up to these."""

    inbox_records: int = 1_000  # of a batch
    source_records: int = 2_000  # of a batch
    batch_interval_s: float = 0.05  # between the starts of two batches of one number: a transaction costs as much
    #   with one record as with hundreds, and at moderate load nothing else would keep them apart
    inbox_interval_s: float = 0.01  # the same when the inbox alone is waiting
    inbox_lag_records: int = 4_000  # sources pause while the inbox is further behind
    fetch_partition_bytes: int = 512 * 1024  # prefetched of each topic partition
    fetch_interval_s: float = 0.02  # between two requests to a broker; with each comes what has gathered meanwhile
    poll_wait_ms: int = 100  # how long the broker holds an empty fetch
    session_timeout_ms: int = 6_000
    heartbeat_ms: int = 500
    confirmed_max_s: float = 2.0  # a worker answers queries only this long after a confirmed heartbeat
    transaction_timeout_ms: int = 5_000  # how long an orphan may hold readers up
    commit_max_s: float = 3.0  # a commit that takes longer ends the process
    revoke_grace_s: float = 2.0  # for a transaction in flight when the partition number goes
    send_batch_bytes: int = 512 * 1024
    idle_commit_s: float = 1.0  # positions that moved over markers only are committed this often
    trim_every_s: float = 60.0  # how often committed records of the inbox are deleted
    state_idle_max_s: float = 12 * 3600.0  # half of delete.retention.ms: older local state is restored from scratch


@dataclass(frozen=True, slots=True)
class Spec:
    """One app. Every topic in `inbox` and `sources` has `partitions` partitions, the changelog too."""

    app_id: str  # consumer group, and prefix of the transactional ids
    sources: tuple[str, ...]
    changelog: str
    partitions: int
    bootstrap: str
    state_dir: Path  # of this worker alone
    worker: str  # stable name of this worker: a restart under it is no rebalance
    inbox: str | None = None
    trimmed: tuple[str, ...] = ()  # topics whose committed records are deleted
    web_port: int | None = None  # where Faust's web server listens; None: none
    web_host: str = "127.0.0.1"
    resumes: bool = False  # its first batch comes at once, though nothing has: the agent may have to go on with a thing
    limits: Limits = field(default_factory=Limits)
    probe: Callable[[str, int], None] | None = None  # told (point, partition number); tests kill there

    @property
    def inputs(self) -> tuple[str, ...]:
        """All topics that are read, the inbox first."""
        return (self.inbox, *self.sources) if self.inbox else self.sources
