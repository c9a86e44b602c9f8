-- What the definition that is counted beside the live one says otherwise, over all that both have judged. The interval of
-- the change takes the two as if they were of different interactions, so it is wider than need be.
CREATE OR REPLACE VIEW definition_differences AS
WITH
    (n, total, squares) -> if(n < 2, NULL, greatest(squares - total * total / n, 0) / (n - 1) / n) AS variance
SELECT
    touchpoint,
    dimension,
    known.definition AS definition_live,
    known.beside AS definition_beside,
    sumIf(n, definition = known.definition) AS live_n,
    if(live_n = 0, NULL, sumIf(total, definition = known.definition) / live_n) AS live_mean,
    sumIf(n, definition = known.beside) AS beside_n,
    if(beside_n = 0, NULL, sumIf(total, definition = known.beside) / beside_n) AS beside_mean,
    beside_mean - live_mean AS change,
    1.959963984540054 * sqrt(
        variance(live_n, sumIf(total, definition = known.definition), sumIf(squares, definition = known.definition))
        + variance(beside_n, sumIf(total, definition = known.beside), sumIf(squares, definition = known.beside))
    ) AS margin,
    change - margin AS change_low,
    change + margin AS change_high
FROM
(
    SELECT
        q.touchpoint AS touchpoint,
        q.definition AS definition,
        each.1 AS dimension,
        each.2 AS n,
        each.3 AS total,
        each.4 AS squares
    FROM
    (
        SELECT
            q.touchpoint AS touchpoint,
            q.definition AS definition,
            [
            ('effectiveness', sum(q.effectiveness_asked_n + q.effectiveness_observed_n),
             sum(q.effectiveness_asked_sum + q.effectiveness_observed_sum), sum(q.effectiveness_asked_sum2 + q.effectiveness_observed_sum2)),
            ('ease', sum(q.ease_asked_n + q.ease_observed_n),
             sum(q.ease_asked_sum + q.ease_observed_sum), sum(q.ease_asked_sum2 + q.ease_observed_sum2)),
            ('emotion', sum(q.emotion_asked_n + q.emotion_observed_n),
             sum(q.emotion_asked_sum + q.emotion_observed_sum), sum(q.emotion_asked_sum2 + q.emotion_observed_sum2))
            ] AS dimensions
        FROM touchpoint_scores AS q FINAL
        GROUP BY q.touchpoint, q.definition
    ) AS q
    ARRAY JOIN dimensions AS each
) AS s
INNER JOIN (SELECT * FROM definition_live WHERE beside IS NOT NULL) AS known ON 1 = 1
WHERE definition IN (known.definition, known.beside)
GROUP BY touchpoint, dimension, known.definition, known.beside
HAVING live_n + beside_n > 0
COMMENT 'Per touchpoint and dimension: n and mean by the live definition and by the one beside it, the change with its 95 % interval.';

ALTER TABLE definition_differences
    COMMENT COLUMN touchpoint 'where',
    COMMENT COLUMN dimension 'effectiveness, ease, emotion',
    COMMENT COLUMN definition_live 'the version that is live',
    COMMENT COLUMN definition_beside 'the version that is counted beside it',
    COMMENT COLUMN live_n 'pieces of evidence by the live one',
    COMMENT COLUMN live_mean 'their mean, 0 to 100; null: no evidence',
    COMMENT COLUMN beside_n 'pieces of evidence by the one beside it',
    COMMENT COLUMN beside_mean 'their mean, 0 to 100; null: no evidence',
    COMMENT COLUMN change 'how much higher the mean is by the one beside it',
    COMMENT COLUMN margin 'half of the width of the 95 % interval of the change',
    COMMENT COLUMN change_low 'lower end of that interval; null with fewer than 2 pieces',
    COMMENT COLUMN change_high 'upper end of that interval; null with fewer than 2 pieces';
