-- Stores, partners and teams (the pseudonyms of who works there) at each touchpoint in the last 28 days, as a funnel plot:
-- between its limits a unit of that size lies by chance, with 95 and 99.8 %.
CREATE OR REPLACE VIEW touchpoint_consistency AS
SELECT
    u.touchpoint AS touchpoint,
    u.kind AS kind,
    u.unit AS unit,
    u.n AS n,
    u.mean AS mean,
    o.mean AS overall,
    o.n AS overall_n,
    o.mean - 1.959963984540054 * o.spread / sqrt(u.n) AS low_95,
    o.mean + 1.959963984540054 * o.spread / sqrt(u.n) AS high_95,
    o.mean - 3.090232306167813 * o.spread / sqrt(u.n) AS low_998,
    o.mean + 3.090232306167813 * o.spread / sqrt(u.n) AS high_998,
    multiIf(u.mean < low_998, 'far below', u.mean < low_95, 'below', u.mean > high_998, 'far above', u.mean > high_95, 'above', 'within') AS where_it_lies
FROM
(
    SELECT touchpoint, kind, unit, count() AS n, avg(score) AS mean
    FROM (SELECT touchpoint, score, arrayJoin(units) AS each, each.1 AS kind, each.2 AS unit FROM experiences_lately)
    GROUP BY touchpoint, kind, unit
) AS u
INNER JOIN
(
    SELECT touchpoint, kind, count() AS n, avg(score) AS mean, stddevSamp(score) AS spread
    FROM (SELECT touchpoint, score, arrayJoin(units).1 AS kind FROM experiences_lately)
    GROUP BY touchpoint, kind
    HAVING n > 1
) AS o ON o.touchpoint = u.touchpoint AND o.kind = u.kind
COMMENT 'How far apart stores, partners and teams are at the same touchpoint, and whether that is more than chance.';
