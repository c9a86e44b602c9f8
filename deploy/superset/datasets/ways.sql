-- The ways from step to step, last 28 days.
SELECT
    a.journey_name AS journey_name, a.step_name AS step, b.step_name AS next,
    concat(a.step_name, ' → ', b.step_name) AS way, e.persons AS persons, e.went_on AS went_on,
    e.went_on_share AS went_on_share, e.went_on_low AS went_on_low, e.went_on_high AS went_on_high, 1000 * round(e.median_s) AS median_ms
FROM journey_edges AS e
INNER JOIN (SELECT journey, step, any(journey_name) AS journey_name, any(step_name) AS step_name FROM journey_steps GROUP BY journey, step)
    AS a ON a.journey = e.journey AND a.step = e.step
INNER JOIN (SELECT journey, step, any(step_name) AS step_name FROM journey_steps GROUP BY journey, step)
    AS b ON b.journey = e.journey AND b.step = e.next
