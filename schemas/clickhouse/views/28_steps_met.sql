-- All that a person did at the touchpoints of a journey in the last 28 days: (step, when, whether it says something, score).
-- A touchpoint that belongs to several steps counts in each. One row per person and journey, so that whoever asks for steps
-- and ways between them reads the interactions once.
CREATE OR REPLACE VIEW steps_met AS
SELECT
    i.person AS person,
    s.journey AS journey,
    groupArray((s.step, i.occurred_at, notEmpty(i.known), if(empty(i.known), 0, arrayAvg(i.known)))) AS met
FROM
(
    SELECT
        person, touchpoint, occurred_at,
        arrayMap(x -> assumeNotNull(x), arrayFilter(x -> x IS NOT NULL, [effectiveness, ease, emotion])) AS known
    FROM interactions_by_person
    WHERE occurred_at > now64(3) - INTERVAL 28 DAY AND touchpoint IN (SELECT arrayJoin(touchpoints) FROM steps_current)
) AS i
INNER JOIN (SELECT journey, step, arrayJoin(touchpoints) AS place FROM steps_current) AS s ON s.place = i.touchpoint
GROUP BY i.person, s.journey
COMMENT 'Each person on each journey in the last 28 days: at which steps, when, and how it was.';
