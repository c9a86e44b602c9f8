-- What an hour rests on, as one number that grows with every change: the newest versions of its cells, of whatever definition.
SELECT
    '${time_zone}' AS zone,
    toTimeZone(toStartOfHour(window_start, '${time_zone}'), 'UTC') AS hour,
    sum(version) AS through
FROM touchpoint_changes FINAL
GROUP BY hour
