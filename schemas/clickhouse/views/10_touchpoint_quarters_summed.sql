CREATE OR REPLACE VIEW touchpoint_quarters_summed AS
SELECT
    '${time_zone}' AS zone,
    toTimeZone(toStartOfHour(q.window_start, '${time_zone}'), 'UTC') AS hour,
    q.touchpoint AS touchpoint,
    q.channel AS channel,
    max(q.definition) AS definition,
${sums}
FROM touchpoint_quarters AS q
GROUP BY hour, q.touchpoint, q.channel
COMMENT 'Sums per hour of the business, touchpoint and channel, straight from the cells: what touchpoint_hours keeps.';
