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

CREATE TABLE IF NOT EXISTS orders
(
    occurred_day Date COMMENT 'as in interactions',
    identifier   String COMMENT 'as in interactions' CODEC(ZSTD(1)),
    source       LowCardinality(String) COMMENT 'as in interactions',
    event_id     String COMMENT 'as in interactions' CODEC(ZSTD(1)),
    session_id   String COMMENT 'as in interactions' CODEC(ZSTD(1)),
    occurred_at  DateTime64(3, 'UTC') COMMENT 'as in interactions' CODEC(Delta(8), ZSTD(1)),
    received_at  DateTime64(3, 'UTC') COMMENT 'as in interactions' CODEC(Delta(8), ZSTD(1)),
    kind         LowCardinality(String) COMMENT 'order, return, cancellation',
    order_number UInt64 COMMENT 'hash of the order_id, by which its events are found; 0: not said' CODEC(ZSTD(1)),
    said         Nullable(Float64) COMMENT 'the amount that it says, or that its items come to; null: neither' CODEC(ZSTD(1)),
    currency     LowCardinality(String) COMMENT 'as it says; empty: not said',
    consent      Map(LowCardinality(String), Bool) COMMENT 'as in interactions' CODEC(ZSTD(1)),
    public       Bool COMMENT 'as in interactions' CODEC(ZSTD(1)),
    version      UInt64 COMMENT 'of the row of interactions' CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYear(occurred_day)
ORDER BY (occurred_day, identifier, source, event_id)
SETTINGS finished_mutations_to_keep = 1
COMMENT 'Copies of the interactions that are business results by themselves. Read it through business_results.';

CREATE MATERIALIZED VIEW IF NOT EXISTS orders_told TO orders AS
SELECT
    occurred_day, identifier, source, event_id, session_id, occurred_at, received_at,
    transform(type, ['order_placed', 'order_returned', 'order_cancelled'], ['order', 'return', 'cancellation'], '') AS kind,
    if(properties['order_id'] = '', 0, cityHash64(properties['order_id'])) AS order_number,
    multiIf(
        mapContains(measures, 'amount'), toNullable(measures['amount']),
        notEmpty(items) AND NOT arrayExists(item -> item.price IS NULL, items),
        round(arraySum(item -> item.quantity * assumeNotNull(item.price), items), 4),
        NULL
    ) AS said,
    properties['currency'] AS currency, consent, public, version
FROM interactions
WHERE type IN ('order_placed', 'order_returned', 'order_cancelled')
COMMENT 'Fills orders with each block that is stored in interactions.';

INSERT INTO orders
SELECT
    occurred_day, identifier, source, event_id, session_id, occurred_at, received_at,
    transform(type, ['order_placed', 'order_returned', 'order_cancelled'], ['order', 'return', 'cancellation'], '') AS kind,
    if(properties['order_id'] = '', 0, cityHash64(properties['order_id'])) AS order_number,
    multiIf(
        mapContains(measures, 'amount'), toNullable(measures['amount']),
        notEmpty(items) AND NOT arrayExists(item -> item.price IS NULL, items),
        round(arraySum(item -> item.quantity * assumeNotNull(item.price), items), 4),
        NULL
    ) AS said,
    properties['currency'] AS currency, consent, public, version
FROM interactions FINAL
WHERE type IN ('order_placed', 'order_returned', 'order_cancelled');

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
