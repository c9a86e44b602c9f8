-- What an hour rests on, as one number that grows with every change: the newest versions of its cells, of whatever
-- definition. Whatever else touchpoint_quarters_summed may come to depend on has to be added here, so that hours are
-- summed up again when it changes.
CREATE OR REPLACE VIEW touchpoint_hours_changed AS
SELECT
    '${time_zone}' AS zone,
    toTimeZone(toStartOfHour(window_start, '${time_zone}'), 'UTC') AS hour,
    sum(newest) AS through
FROM
(
    SELECT window_start, partition, max(version) AS newest
    FROM touchpoint_changes
    GROUP BY window_start, partition
)
GROUP BY hour
COMMENT 'Each hour of the business that has cells, with a number that grows when one of them changes.';
