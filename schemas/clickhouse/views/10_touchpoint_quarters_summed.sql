CREATE OR REPLACE VIEW touchpoint_quarters_summed AS
SELECT
    '${time_zone}' AS zone,
    toTimeZone(toStartOfHour(q.window_start, '${time_zone}'), 'UTC') AS hour,
    q.touchpoint AS touchpoint,
    q.channel AS channel,
    q.definition AS definition,
${sums}
FROM touchpoint_quarters_by_definition AS q
GROUP BY hour, q.touchpoint, q.channel, q.definition
COMMENT 'Sums per hour of the business, touchpoint, channel and definition, straight from the cells: what touchpoint_hours keeps.';
