-- Hours by the day, and contacts by the hour: so that queries of a dashboard read little, and with FINAL replace cheaply.

-- Nothing counts as summed up until it has been again; until then queries add up the cells.
CREATE OR REPLACE TABLE touchpoint_hours_made AS touchpoint_hours_made
ENGINE = ReplacingMergeTree(through)
PARTITION BY toYear(hour)
ORDER BY (zone, hour, definition)
COMMENT 'Which hours of touchpoint_hours are whole.';

ALTER TABLE touchpoint_hours
    ADD COLUMN IF NOT EXISTS day Date COMMENT 'day of the business that the hour belongs to' AFTER zone,
    ADD INDEX IF NOT EXISTS hour_range hour TYPE minmax GRANULARITY 1;

-- A month of one touchpoint is a small piece of each day, and a piece is read by itself.
CREATE OR REPLACE TABLE touchpoint_hours AS touchpoint_hours
ENGINE = ReplacingMergeTree(through)
PARTITION BY toYear(hour)
ORDER BY (zone, day, definition, touchpoint, channel, hour)
SETTINGS index_granularity = 1024, min_compress_block_size = 8192
COMMENT 'Hours that are over, summed up from cells by the process store, so that no query has to. Read it through touchpoint_sums.';

-- What replaces each other is told by one number instead of three texts, and blocks as they come hardly overlap by hour.
ALTER TABLE contacts
    ADD COLUMN IF NOT EXISTS sent_hour DateTime('UTC') COMMENT 'hour of occurred_at_sent, which is the same in every copy' CODEC(Delta(4), ZSTD(1)) AFTER occurred_day,
    ADD COLUMN IF NOT EXISTS event_key UInt128 MATERIALIZED reinterpretAsUInt128(sipHash128(identifier, source, event_id)) COMMENT 'which interaction it is a copy of' CODEC(ZSTD(1)) AFTER event_id,
    ADD INDEX IF NOT EXISTS identifier_bloom identifier TYPE bloom_filter(0.01) GRANULARITY 4;

-- Copies: what is lost here is copied again below.
CREATE OR REPLACE TABLE contacts AS contacts
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYear(occurred_day)
ORDER BY (occurred_day, sent_hour, event_key)
SETTINGS finished_mutations_to_keep = 1
COMMENT 'Copies of the interactions with which somebody contacted us, or looked for help. Read it through contacts_resolved and queue_intervals.';

ALTER TABLE contacts_made MODIFY QUERY
SELECT
    occurred_day, toStartOfHour(occurred_at_sent, 'UTC') AS sent_hour, identifier, source, event_id, session_id, occurred_at,
    received_at, channel, type, touchpoint, issue, contact, resolved, details['queue'] AS queue, queue_outcome,
    coalesce(if(mapContains(measures, 'wait_s'), measures['wait_s'], NULL), toFloat64OrNull(details['wait_s'])) AS wait_s,
    coalesce(if(mapContains(measures, 'handle_s'), measures['handle_s'], NULL), toFloat64OrNull(details['handle_s'])) AS handle_s,
    details['outcome'] AS outcome, consent, version
FROM interactions
WHERE contact != '' OR type IN (SELECT type FROM contact_types);

INSERT INTO contacts
SELECT
    occurred_day, toStartOfHour(occurred_at_sent, 'UTC') AS sent_hour, identifier, source, event_id, session_id, occurred_at,
    received_at, channel, type, touchpoint, issue, contact, resolved, details['queue'] AS queue, queue_outcome,
    coalesce(if(mapContains(measures, 'wait_s'), measures['wait_s'], NULL), toFloat64OrNull(details['wait_s'])) AS wait_s,
    coalesce(if(mapContains(measures, 'handle_s'), measures['handle_s'], NULL), toFloat64OrNull(details['handle_s'])) AS handle_s,
    details['outcome'] AS outcome, consent, version
FROM interactions
WHERE contact != '' OR type IN (SELECT type FROM contact_types);
