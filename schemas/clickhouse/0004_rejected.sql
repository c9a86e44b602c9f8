-- What could not be used. Its bytes may hold personal data in clear, so they stay in the topic interactions.rejected.

CREATE TABLE IF NOT EXISTS rejected
(
    id          String COMMENT 'topic/partition/offset of the record as it was read' CODEC(ZSTD(1)),
    topic       LowCardinality(String) COMMENT 'where it was read',
    partition   UInt32 COMMENT 'where it was read',
    offset      UInt64 COMMENT 'where it was read' CODEC(Delta(8), ZSTD(1)),
    time        DateTime64(3, 'UTC') COMMENT 'of the record, as its topic says' CODEC(Delta(8), ZSTD(1)),
    reason      LowCardinality(String) COMMENT 'a name of the closed set of reasons',
    detail      String COMMENT 'what exactly, without personal data' CODEC(ZSTD(1)),
    key_bytes   Nullable(UInt32) COMMENT 'size of its key; null: it had none',
    value_bytes Nullable(UInt32) COMMENT 'size of its value; null: it had none (a tombstone)',
    version     UInt64 COMMENT 'layout epoch << 48 | offset of the output record' CODEC(Delta(8), ZSTD(1)),

    INDEX time_range time TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (topic, partition, offset)
COMMENT 'Events that could not be used, without their bytes.';
