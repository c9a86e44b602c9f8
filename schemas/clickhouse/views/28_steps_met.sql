-- A person is at a step where they meet one of its touchpoints; one that belongs to several steps counts in each.
CREATE OR REPLACE VIEW steps_met AS
SELECT
    i.person AS person,
    s.journey AS journey,
    s.step AS step,
    min(i.occurred_at) AS first_at,
    max(i.occurred_at) AS last_at,
    arraySort(groupArray(i.occurred_at)) AS times,
    count() AS interactions,
    countIf(notEmpty(i.known)) AS experiences,
    sumIf(arrayAvg(i.known), notEmpty(i.known)) AS score_sum,
    sumIf(pow(arrayAvg(i.known), 2), notEmpty(i.known)) AS score_sum2
FROM
(
    SELECT
        person, touchpoint, occurred_at,
        arrayMap(x -> assumeNotNull(x), arrayFilter(x -> x IS NOT NULL, [effectiveness, ease, emotion])) AS known
    FROM interactions_by_person
    WHERE occurred_at > now64(3) - INTERVAL 28 DAY AND touchpoint IN (SELECT arrayJoin(touchpoints) FROM steps_current)
) AS i
INNER JOIN (SELECT journey, step, arrayJoin(touchpoints) AS place FROM steps_current) AS s ON s.place = i.touchpoint
GROUP BY i.person, s.journey, s.step
COMMENT 'Each person at each step of a journey in the last 28 days: when, how often, and how it was.';
