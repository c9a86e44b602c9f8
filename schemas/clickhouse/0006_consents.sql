-- What people said of consent as such: the few interactions from which views know who refuses analysis.

CREATE TABLE IF NOT EXISTS consents
(
    identifier  String COMMENT 'as in interactions' CODEC(ZSTD(1)),
    source      LowCardinality(String) COMMENT 'as in interactions',
    event_id    String COMMENT 'as in interactions' CODEC(ZSTD(1)),
    session_id  String COMMENT 'as in interactions' CODEC(ZSTD(1)),
    occurred_at DateTime64(3, 'UTC') COMMENT 'as in interactions' CODEC(Delta(8), ZSTD(1)),
    received_at DateTime64(3, 'UTC') COMMENT 'as in interactions' CODEC(Delta(8), ZSTD(1)),
    consent     Map(LowCardinality(String), Bool) COMMENT 'purpose → given or not' CODEC(ZSTD(1)),
    version     UInt64 COMMENT 'of the row of interactions' CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (identifier, source, event_id)
SETTINGS finished_mutations_to_keep = 1
COMMENT 'Copies of the interactions that speak of consent. Who refuses analysis now: analysis_refused.';

CREATE MATERIALIZED VIEW IF NOT EXISTS consents_said TO consents AS
SELECT identifier, source, event_id, session_id, occurred_at, received_at, consent, version
FROM interactions
WHERE type IN ('profile_updated', 'consent_changed') AND notEmpty(consent)
COMMENT 'Fills consents with each block that is stored in interactions.';

INSERT INTO consents
SELECT identifier, source, event_id, session_id, occurred_at, received_at, consent, version
FROM interactions
WHERE type IN ('profile_updated', 'consent_changed') AND notEmpty(consent);

-- A deletion names whom it is about: ClickHouse forgets all but the newest, which names nobody (store/erasing.py).
ALTER TABLE interactions MODIFY SETTING finished_mutations_to_keep = 1;
ALTER TABLE identities MODIFY SETTING finished_mutations_to_keep = 1;
ALTER TABLE customer_scores MODIFY SETTING finished_mutations_to_keep = 1;
ALTER TABLE rejected MODIFY SETTING finished_mutations_to_keep = 1;
