-- How many of the persons who met a touchpoint of a step in the last 28 days came to any step that may follow, at the
-- same time or later than they first were at this one; the others have dropped off, or not come further yet. Which steps
-- may follow, and who is met, is in the catalogue; the last step of a journey has nothing to go on to. The score is the
-- mean of their experiences there. Which step they went on to: journey_edges.
CREATE OR REPLACE VIEW journey_steps AS
WITH
${formulas}
SELECT
    s.journey AS journey,
    s.journey_name AS journey_name,
    s.position AS position,
    s.step AS step,
    s.step_name AS step_name,
    m.persons AS persons,
    m.interactions AS interactions,
    if(empty(s.next), NULL, m.went_on) AS went_on,
    if(empty(s.next), NULL, mean(m.persons, m.went_on)) AS went_on_share,
    if(empty(s.next) OR m.persons = 0, NULL, greatest(wilson_middle(m.persons, m.went_on) - wilson_margin(m.persons, m.went_on), 0)) AS went_on_low,
    if(empty(s.next) OR m.persons = 0, NULL, least(wilson_middle(m.persons, m.went_on) + wilson_margin(m.persons, m.went_on), 1)) AS went_on_high,
    if(empty(s.next), NULL, m.persons - m.went_on) AS dropped_off,
    if(empty(s.next), NULL, 1 - mean(m.persons, m.went_on)) AS dropped_off_share,
    if(m.went_on = 0, NULL, m.median_s) AS median_s,
    m.experiences AS experiences,
    mean(m.experiences, m.score_sum) AS score,
    if(m.experiences < 2, NULL, greatest(m.score_sum / m.experiences - margin(m.experiences, m.score_sum, m.score_sum2), 0)) AS score_low,
    if(m.experiences < 2, NULL, least(m.score_sum / m.experiences + margin(m.experiences, m.score_sum, m.score_sum2), 100)) AS score_high
FROM steps_current AS s
LEFT JOIN
(
    SELECT
        journey, step,
        count() AS persons,
        sum(length(here)) AS interactions,
        countIf(there) AS went_on,
        quantileExactIf(0.5)(seconds, there) AS median_s,
        sum(arrayCount(each -> each.3, here)) AS experiences,
        sum(arraySum(each -> each.4, here)) AS score_sum,
        sum(arraySum(each -> each.4 * each.4, here)) AS score_sum2
    FROM
    (
        SELECT
            journey, way.1 AS step, way.2 AS following,
            arrayFilter(each -> each.1 = step, met) AS here,
            arrayMin(each -> each.2, here) AS first_at,
            arrayFilter(each -> has(following, each.1) AND each.2 >= first_at, met) AS later,
            notEmpty(later) AS there,
            if(there, dateDiff('millisecond', first_at, arrayMin(each -> each.2, later)) / 1000, 0) AS seconds
        FROM steps_met
        INNER JOIN (SELECT journey, groupArray((step, next)) AS ways FROM steps_current GROUP BY journey) AS w ON w.journey = steps_met.journey
        ARRAY JOIN ways AS way
        WHERE notEmpty(here)
    )
    GROUP BY journey, step
) AS m ON m.journey = s.journey AND m.step = s.step
SETTINGS join_use_nulls = 0
COMMENT 'Each step of each journey in the last 28 days: how many persons were there, how many went on and how soon, how it was.';

ALTER TABLE journey_steps
    COMMENT COLUMN journey 'its id',
    COMMENT COLUMN journey_name 'for people',
    COMMENT COLUMN position 'of the step, from 1 on',
    COMMENT COLUMN step 'its id',
    COMMENT COLUMN step_name 'for people',
    COMMENT COLUMN persons 'who were there in the last 28 days',
    COMMENT COLUMN interactions 'at its touchpoints',
    COMMENT COLUMN went_on 'persons who came to a step that may follow; null: none may',
    COMMENT COLUMN went_on_share 'of the persons there',
    COMMENT COLUMN went_on_low 'lower end of its 95 % interval (Wilson)',
    COMMENT COLUMN went_on_high 'upper end of its 95 % interval (Wilson)',
    COMMENT COLUMN dropped_off 'persons who did not, or not yet',
    COMMENT COLUMN dropped_off_share 'of the persons there',
    COMMENT COLUMN median_s 'half of those who went on did so within this time, seconds',
    COMMENT COLUMN experiences 'interactions there that say something',
    COMMENT COLUMN score 'mean of their scores, 0 to 100',
    COMMENT COLUMN score_low 'lower end of its 95 % interval; null with fewer than 2',
    COMMENT COLUMN score_high 'upper end of its 95 % interval; null with fewer than 2';
