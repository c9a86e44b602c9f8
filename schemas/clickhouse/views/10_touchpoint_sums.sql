-- Hours of the business's clock (${time_zone}), by the definition that is live: what is summed up already from
-- touchpoint_hours, the rest from its cells. So it is exact at every moment, and a month costs little more than its last
-- hours. Which hours are due is asked once, as a value: as a subquery of IN it would be asked by each part, and again
-- while indices are chosen.
CREATE OR REPLACE VIEW touchpoint_sums AS
WITH (SELECT groupArray(hour) FROM touchpoint_hours_due) AS due
SELECT
    h.hour AS hour, h.touchpoint AS touchpoint, h.channel AS channel, h.definition AS definition,
${sum_names}
FROM touchpoint_hours AS h FINAL
WHERE h.zone = '${time_zone}' AND h.definition = (SELECT definition FROM definition_live) AND NOT has(due, h.hour)
UNION ALL
WITH (SELECT groupArray(hour) FROM touchpoint_hours_due) AS due
SELECT
    q.hour AS hour, q.touchpoint AS touchpoint, q.channel AS channel, q.definition AS definition,
${sum_names}
FROM touchpoint_quarters_summed AS q
WHERE q.definition = (SELECT definition FROM definition_live) AND has(due, q.hour)
COMMENT 'Sums per hour of the business, touchpoint and channel: what the views of figures are made of.';
