-- An exponentially weighted moving average of daily means (λ = 0.2) with control limits (L = 3), after NIST/SEMATECH
-- e-Handbook 6.3.2.4. Of the last 90 days those count that have enough evidence (n_min of the catalogue, or 30), not
-- today; the first 14 of them tell target and spread. The mean is that of all dimensions together.
CREATE OR REPLACE VIEW touchpoint_control AS
WITH 14 AS base, 0.2 AS weight, 3 AS width
SELECT
    touchpoint,
    step.1 AS day,
    step.2 AS mean,
    step.3 AS n,
    step.4 AS ewma,
    step.5 AS low,
    step.6 AS high,
    ewma < low OR ewma > high AS broken
FROM
(
    SELECT
        touchpoint,
        arraySort(groupArray((day, mean, n))) AS points,
        arrayMap(each -> each.2, arraySlice(points, 1, base)) AS first,
        arrayAvg(first) AS target,
        greatest(sqrt(arraySum(x -> pow(x - target, 2), first) / (base - 1)), 0.5) AS spread,
        arrayMap(
            (each, position) -> (
                each.1, each.2, each.3,
                -- Each later mean with its weight, and what is left of the target.
                pow(1 - weight, position) * target + arraySum(
                    (other, at) -> if(at <= position, weight * pow(1 - weight, position - at) * other.2, 0),
                    arraySlice(points, base + 1), arrayEnumerate(arraySlice(points, base + 1))
                ),
                target - width * spread * sqrt(weight / (2 - weight) * (1 - pow(1 - weight, 2 * position))),
                target + width * spread * sqrt(weight / (2 - weight) * (1 - pow(1 - weight, 2 * position)))
            ),
            arraySlice(points, base + 1), arrayEnumerate(arraySlice(points, base + 1))
        ) AS steps
    FROM
    (
        SELECT
            toDate(q.window_start, '${time_zone}') AS day,
            q.touchpoint AS touchpoint,
            sum(q.effectiveness_asked_n + q.effectiveness_observed_n + q.ease_asked_n + q.ease_observed_n + q.emotion_asked_n + q.emotion_observed_n) AS n,
            sum(q.effectiveness_asked_sum + q.effectiveness_observed_sum + q.ease_asked_sum + q.ease_observed_sum
                + q.emotion_asked_sum + q.emotion_observed_sum) / n AS mean
        FROM touchpoint_scores AS q FINAL
        WHERE q.window_start > now64(3) - INTERVAL 91 DAY
        GROUP BY day, q.touchpoint
    ) AS daily
    LEFT JOIN (SELECT touchpoint AS id, n_min FROM touchpoints) AS t ON t.id = daily.touchpoint
    WHERE n >= if(n_min = 0, 30, n_min) AND day < toDate(now64(3), '${time_zone}')
    GROUP BY touchpoint
    HAVING length(points) > base
)
ARRAY JOIN steps AS step
SETTINGS join_use_nulls = 0
COMMENT 'Daily means of each touchpoint as a control chart: a broken limit is more than chance.';
