-- The steps of each journey, last 28 days: who came, who went on, how soon, how it was.
SELECT
    journey_name, position, concat(toString(position), '. ', step_name) AS step,
    concat(journey_name, ', ', toString(position), '. ', step_name) AS journey_step, persons, interactions, went_on, went_on_share,
    went_on_low, went_on_high, dropped_off, 1000 * round(median_s) AS median_ms, experiences, score, score_low, score_high
FROM journey_steps
