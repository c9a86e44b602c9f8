-- What came with a public key opens no complaint of somebody known by name, and closes none.

ALTER TABLE complaints
    ADD COLUMN IF NOT EXISTS public Bool DEFAULT false COMMENT 'as in interactions' CODEC(ZSTD(1)) AFTER consent;

ALTER TABLE complaints_told MODIFY QUERY
SELECT
    occurred_day, identifier, source, event_id, session_id, occurred_at, received_at, channel, type, touchpoint, issue,
    multiIf(
        properties['complaint_id'] != '', properties['complaint_id'],
        issue != '', issue,
        type != 'complaint_opened' AND about != '', about,
        event_id
    ) AS complaint,
    properties['root_cause'] AS root_cause, properties['next_step'] AS next_step, consent, public, version
FROM interactions
WHERE startsWith(type, 'complaint_');
