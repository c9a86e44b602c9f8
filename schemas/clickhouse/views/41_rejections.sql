-- `throughline status` counts the same rows; what they were is in the topic interactions.rejected for 90 days.
CREATE OR REPLACE VIEW rejections AS
SELECT
    r.time AS rejected_at,
    toStartOfHour(toTimeZone(r.time, '${time_zone}')) AS hour,
    toDate(r.time, '${time_zone}') AS day,
    r.reason AS reason,
    r.detail AS detail,
    r.topic AS topic,
    r.partition AS partition,
    r.offset AS offset,
    r.value_bytes AS bytes
FROM rejected AS r FINAL
COMMENT 'A row is a record that could not be used, and why. Bound it by rejected_at.';

ALTER TABLE rejections
    COMMENT COLUMN rejected_at 'time of the record, as its topic says',
    COMMENT COLUMN hour 'of it, by the clock of the business',
    COMMENT COLUMN day 'of it, by the clock of the business',
    COMMENT COLUMN reason 'a name of a closed set, such as not_an_interaction',
    COMMENT COLUMN detail 'what exactly, without personal data',
    COMMENT COLUMN topic 'where it was read: interactions.web, …',
    COMMENT COLUMN partition 'where it was read',
    COMMENT COLUMN offset 'where it was read: with topic and partition it names the record',
    COMMENT COLUMN bytes 'size of the record; null: it had no value';
