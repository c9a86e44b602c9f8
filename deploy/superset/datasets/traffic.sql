-- Interactions of the last 28 days by day, touchpoint and channel, with evidence or without.
SELECT
    d.day AS day, if(t.name = '', d.touchpoint, t.name) AS touchpoint_name, d.channel AS channel, d.interactions AS interactions
FROM touchpoint_daily AS d
LEFT JOIN touchpoints AS t ON t.touchpoint = d.touchpoint
WHERE d.day >= today() - 27
