CREATE OR REPLACE VIEW touchpoint_quarters_summed AS
SELECT
    '${time_zone}' AS zone,
    toDate(hour, '${time_zone}') AS day,
    toTimeZone(toStartOfHour(q.window_start, '${time_zone}'), 'UTC') AS hour,
    q.touchpoint AS touchpoint,
    q.channel AS channel,
    q.definition AS definition,
${sums}
FROM touchpoint_scores AS q FINAL
GROUP BY hour, q.touchpoint, q.channel, q.definition
COMMENT 'Sums per hour of the business, touchpoint, channel and definition, straight from the cells: what touchpoint_hours keeps.';
