-- Alerts that somebody should look at, with the figure that each rests on.
SELECT
    if(t.name = '', a.touchpoint, t.name) AS touchpoint_name, a.owner AS owner,
    a.opened_at AS opened_at, a.kind AS kind, a.state AS state, a.subject AS subject, a.reason AS reason,
    a.assigned_to AS assigned_to, a.what_to_do AS what_to_do, a.value AS value, a.low AS low, a.high AS high, a.n AS n,
    dateDiff('minute', a.opened_at, now64(3)) / 60 AS open_h
FROM alerts_open AS a
LEFT JOIN touchpoints AS t ON t.touchpoint = a.touchpoint
