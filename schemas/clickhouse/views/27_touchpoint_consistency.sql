-- Stores, partners, queues (which stand for their teams) and the people who work there (as pseudonyms) at each touchpoint
-- in the last 28 days, as a funnel plot: between its limits a unit of that size lies by chance, with 95 and 99.8 %. Of a
-- unit with fewer than 30 experiences nothing is said.
CREATE OR REPLACE VIEW touchpoint_consistency AS
WITH details -> arrayFilter(each -> each.2 != '', [
    ('store', details['store']),
    ('partner', details['partner']),
    ('queue', details['queue']),
    ('staff', if(details['agent'] != '', details['agent'], details['staff']))
]) AS units
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
    multiIf(
        u.n < 30, 'too few to say', u.mean < low_998, 'far below', u.mean < low_95, 'below', u.mean > high_998, 'far above',
        u.mean > high_95, 'above', 'within'
    ) AS where_it_lies
FROM
(
    SELECT touchpoint, each.1 AS kind, each.2 AS unit, count() AS n, avg(score) AS mean
    FROM experiences_lately
    ARRAY JOIN units(details) AS each
    GROUP BY touchpoint, kind, unit
) AS u
INNER JOIN
(
    SELECT touchpoint, each.1 AS kind, count() AS n, avg(score) AS mean, stddevSampStable(score) AS spread
    FROM experiences_lately
    ARRAY JOIN units(details) AS each
    GROUP BY touchpoint, kind
    HAVING n > 1
) AS o ON o.touchpoint = u.touchpoint AND o.kind = u.kind
COMMENT 'How far apart stores, partners and teams are at the same touchpoint, and whether that is more than chance.';

ALTER TABLE touchpoint_consistency
    COMMENT COLUMN touchpoint 'where',
    COMMENT COLUMN kind 'store, partner, queue, or staff',
    COMMENT COLUMN unit 'which one; staff as pseudonyms',
    COMMENT COLUMN n 'experiences there',
    COMMENT COLUMN mean 'of their scores, 0 to 100',
    COMMENT COLUMN overall 'mean of all of that kind at the touchpoint',
    COMMENT COLUMN overall_n 'experiences of all of that kind',
    COMMENT COLUMN low_95 'above it 97.5 % lie by chance',
    COMMENT COLUMN high_95 'below it 97.5 % lie by chance',
    COMMENT COLUMN low_998 'above it 99.9 % lie by chance',
    COMMENT COLUMN high_998 'below it 99.9 % lie by chance',
    COMMENT COLUMN where_it_lies 'far below, below, within, above, far above; too few to say';
