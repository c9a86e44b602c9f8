-- Evidence by day, touchpoint, channel and dimension, as sums: whatever is grouped has its n and interval.
SELECT
    e.day AS day, e.touchpoint AS touchpoint, if(t.name = '', e.touchpoint, t.name) AS touchpoint_name, t.owner AS owner,
    e.channel AS channel, e.dimension AS dimension, e.kind AS kind, e.n AS n, e.total AS total, e.squares AS squares
FROM evidence_daily AS e
LEFT JOIN touchpoints AS t ON t.touchpoint = e.touchpoint
