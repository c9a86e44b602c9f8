-- By which definition the scores are that people see, and which one is counted beside it.

CREATE TABLE IF NOT EXISTS definitions
(
    number  UInt32 COMMENT 'counts the changes: the highest one holds now',
    live    UInt32 COMMENT 'version of schemas/catalogue/scores.yaml that views show scores by',
    beside  UInt32 COMMENT 'version that is counted beside it; 0: none',
    since   DateTime64(3, 'UTC') COMMENT 'since when it has been so' CODEC(Delta(8), ZSTD(1)),
    version UInt64 COMMENT 'of this row'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY number
COMMENT 'Copy of the topic definitions. What holds now: definition_live.';

-- Until something is recorded, what has judged so far.
INSERT INTO definitions
SELECT 0, greatest(1, max(definition)), 0, now64(3), 0 FROM touchpoint_scores;

-- Hours are summed up by each definition. What is lost here is summed up again.
CREATE OR REPLACE TABLE touchpoint_hours AS touchpoint_hours
ENGINE = ReplacingMergeTree(through)
PARTITION BY toYear(hour)
ORDER BY (zone, hour, definition, touchpoint, channel)
COMMENT 'Hours that are over, summed up from cells by the process store, so that no query has to. Read it through touchpoint_sums.';

ALTER TABLE touchpoint_hours COMMENT COLUMN definition 'version of schemas/catalogue/scores.yaml';

CREATE OR REPLACE TABLE touchpoint_hours_made
(
    zone       LowCardinality(String) COMMENT 'as in touchpoint_hours',
    hour       DateTime('UTC') COMMENT 'as in touchpoint_hours' CODEC(Delta(4), ZSTD(1)),
    definition UInt32 COMMENT 'as in touchpoint_hours',
    through    UInt64 COMMENT 'as in touchpoint_hours' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(through)
PARTITION BY toYear(hour)
ORDER BY (zone, hour, definition)
COMMENT 'Which hours of touchpoint_hours are whole.';
