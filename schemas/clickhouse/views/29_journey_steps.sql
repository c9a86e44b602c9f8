-- Persons who met a touchpoint of a step in the last 28 days, and how many of them went on to a step that may follow, or
-- never came further. Who is met is in the catalogue; the last step of a journey has nothing to go on to.
CREATE OR REPLACE VIEW journey_steps AS
WITH
    steps AS (
        SELECT * FROM catalogue_steps FINAL WHERE version = (SELECT max(version) FROM catalogue_steps)
    ),
    met AS (
        SELECT
            person, journey, step,
            min(occurred_at) AS first_at,
            max(occurred_at) AS last_at,
            count() AS interactions,
            countIf(notEmpty(known)) AS experiences,
            avgIf(arrayAvg(known), notEmpty(known)) AS score
        FROM
        (
            SELECT
                person, touchpoint, occurred_at,
                arrayMap(x -> assumeNotNull(x), arrayFilter(x -> x IS NOT NULL, [effectiveness, ease, emotion])) AS known
            FROM interactions_by_person
            WHERE occurred_day >= today() - 29 AND occurred_at > now64(3) - INTERVAL 28 DAY
        ) AS i
        INNER JOIN (SELECT journey, step, arrayJoin(touchpoints) AS place FROM steps) AS s ON s.place = i.touchpoint
        GROUP BY person, journey, step
    )
SELECT
    s.journey AS journey,
    s.journey_name AS journey_name,
    s.position AS position,
    s.step AS step,
    s.step_name AS step_name,
    m.persons AS persons,
    m.interactions AS interactions,
    if(empty(s.next), NULL, m.went_on) AS went_on,
    if(empty(s.next) OR m.persons = 0, NULL, m.went_on / m.persons) AS went_on_share,
    m.experiences AS experiences,
    if(m.experiences = 0, NULL, m.score) AS score
FROM steps AS s
LEFT JOIN
(
    SELECT
        a.journey AS journey,
        a.step AS step,
        uniqExact(a.person) AS persons,
        sum(a.interactions) AS interactions,
        countIf(b.later) AS went_on,
        sum(a.experiences) AS experiences,
        sumIf(a.score * a.experiences, a.experiences > 0) / experiences AS score
    FROM met AS a
    LEFT JOIN
    (
        SELECT f.person AS person, f.journey AS journey, f.step AS step, max(t.last_at >= f.first_at) AS later
        FROM met AS f
        INNER JOIN (SELECT journey, step, arrayJoin(next) AS following FROM steps) AS e ON e.journey = f.journey AND e.step = f.step
        INNER JOIN met AS t ON t.person = f.person AND t.journey = f.journey AND t.step = e.following
        GROUP BY person, journey, step
    ) AS b ON b.person = a.person AND b.journey = a.journey AND b.step = a.step
    GROUP BY journey, step
) AS m ON m.journey = s.journey AND m.step = s.step
SETTINGS join_use_nulls = 0
COMMENT 'Each step of each journey in the last 28 days: how many persons were there, how many went on, how it was.';
