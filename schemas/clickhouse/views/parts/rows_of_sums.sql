-- Rows of sums by hour, touchpoint and channel, to be added up: hours that are summed up already from touchpoint_hours, of
-- the others each cell. It stands in the views themselves: reading a view takes the planner longer than reading what it is.
-- Which hours are due is asked once, as a value: as a subquery of IN it would be asked by each part, and again while
-- indices are chosen.
WITH (SELECT groupArray(hour)
${hours_due}
) AS due
SELECT
    h.day AS day, h.hour AS hour, h.touchpoint AS touchpoint, h.channel AS channel, h.definition AS definition,
${sum_names}
FROM touchpoint_hours AS h FINAL
WHERE h.zone = '${time_zone}' AND h.definition = (SELECT definition FROM definition_live) AND NOT has(due, h.hour)
UNION ALL
WITH (SELECT groupArray(hour)
${hours_due}
) AS due
SELECT
    toDate(hour, '${time_zone}') AS day,
    toTimeZone(toStartOfHour(c.window_start, '${time_zone}'), 'UTC') AS hour,
    c.touchpoint AS touchpoint, c.channel AS channel, c.definition AS definition,
${sum_names}
FROM touchpoint_scores AS c FINAL
WHERE c.definition = (SELECT definition FROM definition_live) AND has(due, hour)
