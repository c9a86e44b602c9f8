-- Stores, partners, queues and staff (as pseudonyms) of the last 28 days, beside the others of their kind.
SELECT
    if(t.name = '', c.touchpoint, t.name) AS touchpoint_name, t.owner AS owner, c.kind AS kind, c.unit AS unit, c.n AS n, c.mean AS mean,
    c.overall AS overall, c.low_95 AS low_95, c.high_95 AS high_95, c.where_it_lies AS where_it_lies
FROM touchpoint_consistency AS c
LEFT JOIN touchpoints AS t ON t.touchpoint = c.touchpoint
