CREATE OR REPLACE VIEW channel_daily AS
WITH
${formulas}
SELECT
    s.day AS day,
    s.channel AS channel,
    s.touchpoints AS touchpoints,
    s.definition AS definition,
${figures}
FROM
(
    SELECT
        toDate(q.window_start, '${time_zone}') AS day,
        q.channel AS channel,
        uniqExact(q.touchpoint) AS touchpoints,
        max(q.definition) AS definition,
${sums}
    FROM touchpoint_quarters AS q
    GROUP BY day, q.channel
) AS s
COMMENT 'Per day and channel, over all its touchpoints: n, figure and 95 % interval each.';
