-- Hours of the business's clock (${time_zone}): what is summed up already from touchpoint_hours, the rest from its cells.
-- So it is exact at every moment, and a month costs little more than its last hours. By the definition that is live.
CREATE OR REPLACE VIEW touchpoint_sums AS
SELECT
    h.hour AS hour, h.touchpoint AS touchpoint, h.channel AS channel, h.definition AS definition,
${sum_names}
FROM touchpoint_hours AS h FINAL
WHERE h.zone = '${time_zone}' AND h.definition = (SELECT definition FROM definition_live) AND h.hour NOT IN (SELECT hour FROM touchpoint_hours_due)
UNION ALL
SELECT
    q.hour AS hour, q.touchpoint AS touchpoint, q.channel AS channel, q.definition AS definition,
${sum_names}
FROM touchpoint_quarters_summed AS q
WHERE q.definition = (SELECT definition FROM definition_live) AND q.hour IN (SELECT hour FROM touchpoint_hours_due)
COMMENT 'Sums per hour of the business, touchpoint and channel: what the views of figures are made of.';
