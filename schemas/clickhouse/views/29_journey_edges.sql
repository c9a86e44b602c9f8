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
    countIf(f.person != '') AS persons,
    countIf(t.person != '' AND t.last_at >= f.first_at) AS went_on,
    mean(persons, went_on) AS went_on_share,
    if(persons = 0, NULL, greatest(wilson_middle(persons, went_on) - wilson_margin(persons, went_on), 0)) AS went_on_low,
    if(persons = 0, NULL, least(wilson_middle(persons, went_on) + wilson_margin(persons, went_on), 1)) AS went_on_high,
    if(went_on = 0, NULL, quantileExactIf(0.5)(
        dateDiff('millisecond', f.first_at, arrayFirst(at -> at >= f.first_at, t.times)) / 1000, t.person != '' AND t.last_at >= f.first_at
    )) AS median_s
FROM (SELECT journey, step, arrayJoin(next) AS following FROM steps_current) AS e
LEFT JOIN steps_met AS f ON f.journey = e.journey AND f.step = e.step
LEFT JOIN steps_met AS t ON t.person = f.person AND t.journey = e.journey AND t.step = e.following
GROUP BY e.journey, e.step, e.following
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
