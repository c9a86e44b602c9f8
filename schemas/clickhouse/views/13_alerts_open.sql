CREATE OR REPLACE VIEW alerts_open AS
SELECT a.alert_id AS alert_id, a.kind AS kind, a.subject AS subject, a.reason AS reason, a.opened_at AS opened_at
FROM alerts AS a FINAL
WHERE a.closed_at IS NULL
COMMENT 'What people should look at now: oldest first, ORDER BY opened_at.';

ALTER TABLE alerts_open
    COMMENT COLUMN alert_id 'its id',
    COMMENT COLUMN kind 'what kind of thing',
    COMMENT COLUMN subject 'what or whom it is about',
    COMMENT COLUMN reason 'why, in words',
    COMMENT COLUMN opened_at 'since when';
