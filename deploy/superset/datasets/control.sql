-- Control charts: a moving average of each dimension of a touchpoint, and the limits that chance keeps it within.
SELECT
    c.day AS day, if(t.name = '', c.touchpoint, t.name) AS touchpoint_name, t.owner AS owner, c.dimension AS dimension,
    concat(if(t.name = '', c.touchpoint, t.name), ': ', c.dimension) AS line,
    c.n AS n, c.mean AS mean, c.ewma AS ewma, c.low AS low, c.high AS high, toUInt8(c.broken) AS broken
FROM touchpoint_control AS c
LEFT JOIN touchpoints AS t ON t.touchpoint = c.touchpoint
