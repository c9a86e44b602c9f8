-- Hours of the business's clock (${time_zone}). Intervals hold the figure with 95 %; null where too little says
-- nothing about the spread.
CREATE OR REPLACE VIEW touchpoint_hourly AS
WITH
${formulas}
SELECT
    s.hour AS hour,
    s.touchpoint AS touchpoint,
    s.channel AS channel,
    s.definition AS definition,
${figures}
FROM
(
    SELECT
        toStartOfHour(q.window_start, '${time_zone}') AS hour,
        q.touchpoint AS touchpoint,
        q.channel AS channel,
        max(q.definition) AS definition,
${sums}
    FROM touchpoint_quarters AS q
    GROUP BY hour, q.touchpoint, q.channel
) AS s
COMMENT 'Per hour, touchpoint and channel: dimensions asked and observed apart, survey metrics and expectations; n, figure and 95 % interval each.';
