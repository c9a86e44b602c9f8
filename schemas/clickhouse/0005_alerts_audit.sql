-- What people should look at, and who looked at whom.

CREATE TABLE IF NOT EXISTS alerts
(
    alert_id  String COMMENT 'names the alert: what is known of it later takes the place of what was known before' CODEC(ZSTD(1)),
    kind      LowCardinality(String) COMMENT 'stands_alone: evidence about an identifier counts no more, because of a cap',
    subject   String COMMENT 'the identifier it is about; phone and e-mail in their keyed form' CODEC(ZSTD(1)),
    reason    String COMMENT 'in plain words' CODEC(ZSTD(1)),
    opened_at DateTime64(3, 'UTC') COMMENT 'since when it stands' CODEC(Delta(8), ZSTD(1)),
    closed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'when it was over; null: it is open' CODEC(ZSTD(1)),
    version   UInt64 COMMENT 'layout epoch << 48 | offset of the output record' CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY alert_id
SETTINGS finished_mutations_to_keep = 1
COMMENT 'What people should look at. Those that stand: alerts_open.';

CREATE TABLE IF NOT EXISTS audit
(
    audit_id String COMMENT 'names the record; a later outcome of the same order takes its place' CODEC(ZSTD(1)),
    at       DateTime64(3, 'UTC') COMMENT 'when it was answered' CODEC(Delta(8), ZSTD(1)),
    actor    LowCardinality(String) COMMENT 'name of the API key or desk session',
    action   LowCardinality(String) COMMENT 'what was asked or ordered',
    purpose  String COMMENT 'what a lookup was for; empty: an order' CODEC(ZSTD(1)),
    subjects Array(String) COMMENT 'whom it was about: seals of identifiers, found again only by who holds the identifier' CODEC(ZSTD(1)),
    shown    Array(String) COMMENT 'whose data the answer held: seals of persons' CODEC(ZSTD(1)),
    outcome  LowCardinality(String) COMMENT 'what came of it',
    reason   String COMMENT 'of an order, as its giver said it; masked' CODEC(ZSTD(1)),
    order_id String COMMENT 'of an order; empty: a lookup' CODEC(ZSTD(1)),
    version  UInt64 COMMENT 'layout epoch << 48 | offset of the output record' CODEC(Delta(8), ZSTD(1)),

    INDEX at_range at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY audit_id
-- As long as the topic keeps it.
TTL toDateTime(at) + INTERVAL 400 DAY
COMMENT 'Who looked at whom or ordered what, when and why. Lookups alone: lookups.';
