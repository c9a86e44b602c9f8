-- Interactions by day, touchpoint and channel, with evidence or without.
SELECT
    d.day AS day, if(t.name = '', d.touchpoint, t.name) AS touchpoint_name, t.owner AS owner, d.channel AS channel, d.interactions AS interactions
FROM touchpoint_daily AS d
LEFT JOIN touchpoints AS t ON t.touchpoint = d.touchpoint
