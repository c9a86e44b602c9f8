-- What experience does to the business, and what was changed at touchpoints.

CREATE TABLE IF NOT EXISTS outcomes
(
    source      LowCardinality(String) COMMENT 'system that says it; (source, outcome_id) names it',
    outcome_id  String COMMENT 'its id there' CODEC(ZSTD(1)),
    kind        LowCardinality(String) COMMENT 'renewal, refund, churn, cost',
    identifier  String COMMENT 'the strongest one that was given; phone and e-mail in their keyed form' CODEC(ZSTD(1)),
    session_id  String COMMENT 'always empty, as it comes with no visit: so that it is found, attributed and erased like interactions' CODEC(ZSTD(1)),
    occurred_at DateTime64(3, 'UTC') COMMENT 'when it happened' CODEC(Delta(8), ZSTD(1)),
    received_at DateTime64(3, 'UTC') COMMENT 'when it was received' CODEC(Delta(8), ZSTD(1)),
    amount      Nullable(Float64) COMMENT 'what it brought (+) or cost (-) the business; null: not said' CODEC(ZSTD(1)),
    currency    LowCardinality(String) COMMENT 'of the amount, ISO 4217; empty where that is null',
    version     UInt64 COMMENT 'layout epoch << 48 | offset of the record' CODEC(Delta(8), ZSTD(1)),

    INDEX identifier_bloom identifier TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (source, outcome_id)
SETTINGS finished_mutations_to_keep = 1
COMMENT 'Business results that come with no contact. Read it through business_results.';

CREATE TABLE IF NOT EXISTS changes
(
    change_id   String COMMENT 'names it' CODEC(ZSTD(1)),
    touchpoint  LowCardinality(String) COMMENT 'where something was changed',
    changed_on  Date COMMENT 'from which day on it is so, by the clock of the business',
    what        String COMMENT 'what was changed, in their words, masked' CODEC(ZSTD(1)),
    recorded_at DateTime64(3, 'UTC') COMMENT 'when it was recorded' CODEC(Delta(8), ZSTD(1)),
    recorded_by LowCardinality(String) COMMENT 'who recorded it: a pseudonym',
    version     UInt64 COMMENT 'layout epoch << 48 | offset of the record' CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY change_id
COMMENT 'What was changed at touchpoints. Read it through changes_current.';
