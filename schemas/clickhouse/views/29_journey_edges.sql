-- Of the persons who met a touchpoint of a step in the last 28 days, how many came to a step that may follow at the same
-- time or later than they first were at this one, and how long that took. Who is met is in the catalogue. Who came to
-- the step only just now has not gone on yet.
CREATE OR REPLACE VIEW journey_edges AS
WITH
${formulas}
SELECT
    e.journey AS journey,
    e.step AS step,
    e.following AS next,
    m.persons AS persons,
    m.went_on AS went_on,
    mean(m.persons, m.went_on) AS went_on_share,
    if(m.persons = 0, NULL, greatest(wilson_middle(m.persons, m.went_on) - wilson_margin(m.persons, m.went_on), 0)) AS went_on_low,
    if(m.persons = 0, NULL, least(wilson_middle(m.persons, m.went_on) + wilson_margin(m.persons, m.went_on), 1)) AS went_on_high,
    if(m.went_on = 0, NULL, m.median_s) AS median_s
FROM (SELECT journey, step, arrayJoin(next) AS following FROM steps_current) AS e
LEFT JOIN
(
    SELECT journey, step, following, count() AS persons, countIf(there) AS went_on, quantileExactIf(0.5)(seconds, there) AS median_s
    FROM
    (
        SELECT
            journey, way.1 AS step, way.2 AS following,
            arrayMin(each -> each.2, arrayFilter(each -> each.1 = step, met)) AS first_at,
            arrayFilter(each -> each.1 = following AND each.2 >= first_at, met) AS later,
            notEmpty(later) AS there,
            if(there, dateDiff('millisecond', first_at, arrayMin(each -> each.2, later)) / 1000, 0) AS seconds
        FROM steps_met
        INNER JOIN (SELECT journey, groupArray((step, following)) AS ways FROM (SELECT journey, step, arrayJoin(next) AS following FROM steps_current) GROUP BY journey) AS w
            ON w.journey = steps_met.journey
        ARRAY JOIN ways AS way
        WHERE arrayExists(each -> each.1 = way.1, met)
    )
    GROUP BY journey, step, following
) AS m ON m.journey = e.journey AND m.step = e.step AND m.following = e.following
SETTINGS join_use_nulls = 0
COMMENT 'Each way from one step of a journey to another in the last 28 days: how many persons took it, and how long it took them.';

ALTER TABLE journey_edges
    COMMENT COLUMN journey 'its id',
    COMMENT COLUMN step 'from which step',
    COMMENT COLUMN next 'to which step',
    COMMENT COLUMN persons 'who were at the first in the last 28 days',
    COMMENT COLUMN went_on 'of them who came to the other one afterwards',
    COMMENT COLUMN went_on_share 'of the persons there',
    COMMENT COLUMN went_on_low 'lower end of its 95 % interval (Wilson)',
    COMMENT COLUMN went_on_high 'upper end of its 95 % interval (Wilson)',
    COMMENT COLUMN median_s 'half of them did so within this time, seconds';
