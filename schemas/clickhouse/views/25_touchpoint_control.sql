-- Each dimension of a touchpoint has a chart of its own, so that it says nothing when merely the kinds of evidence change:
-- an exponentially weighted moving average of daily means (λ = 0.2) with control limits (L = 3), `ewma` of
-- pipeline/domain/intervals.py. Of the last 90 days those count that are over and have enough evidence (n_min of the
-- catalogue, or 30); the first 14 of them tell target and spread, which is taken as at least half a point.
CREATE OR REPLACE VIEW touchpoint_control AS
WITH
    14 AS base, 0.2 AS weight, 3 AS width,
    (spread, position) -> width * spread * sqrt(weight / (2 - weight) * (1 - pow(1 - weight, 2 * position))) AS margin
SELECT
    touchpoint,
    dimension,
    step.1 AS day,
    step.2 AS mean,
    step.3 AS n,
    step.4 AS ewma,
    target - margin(spread, step.5) AS low,
    target + margin(spread, step.5) AS high,
    ewma < low OR ewma > high AS broken
FROM
(
    SELECT
        touchpoint,
        dimension,
        arraySort(groupArray((day, mean, n))) AS points,
        arrayAvg(each -> each.2, arraySlice(points, 1, base)) AS target,
        greatest(sqrt(arraySum(each -> pow(each.2 - target, 2), arraySlice(points, 1, base)) / (base - 1)), 0.5) AS spread,
        arraySlice(points, base + 1) AS later,
        arrayMap(
            (each, position) -> (
                each.1, each.2, each.3,
                -- Each later mean with its weight, and what is left of the target.
                pow(1 - weight, position) * target + arraySum(
                    (other, at) -> if(at <= position, weight * pow(1 - weight, toInt64(position) - toInt64(at)) * other.2, 0),
                    later, arrayEnumerate(later)
                ),
                position
            ),
            later, arrayEnumerate(later)
        ) AS steps
    FROM
    (
        SELECT day, touchpoint, each.1 AS dimension, each.2 AS n, each.3 / each.2 AS mean
        FROM
        (
            SELECT
                q.day AS day,
                q.touchpoint AS touchpoint,
                [
                    ('effectiveness', sum(q.effectiveness_asked_n + q.effectiveness_observed_n), sum(q.effectiveness_asked_sum + q.effectiveness_observed_sum)),
                    ('ease', sum(q.ease_asked_n + q.ease_observed_n), sum(q.ease_asked_sum + q.ease_observed_sum)),
                    ('emotion', sum(q.emotion_asked_n + q.emotion_observed_n), sum(q.emotion_asked_sum + q.emotion_observed_sum))
                ] AS dimensions
            FROM
            (
${rows_of_sums}
            ) AS q
            WHERE q.day >= toDate(now(), '${time_zone}') - 90
            GROUP BY q.day, q.touchpoint
        )
        ARRAY JOIN dimensions AS each
        WHERE n > 0 AND day >= toDate(now(), '${time_zone}') - 90 AND day < toDate(now(), '${time_zone}')
    ) AS daily
    LEFT JOIN (SELECT touchpoint AS id, n_min FROM (${touchpoints_known})) AS t ON t.id = daily.touchpoint
    WHERE n >= if(n_min = 0, 30, n_min)
    GROUP BY touchpoint, dimension
    HAVING length(points) > base
)
ARRAY JOIN steps AS step
SETTINGS join_use_nulls = 0
COMMENT 'Daily means of each dimension at each touchpoint as a control chart: a broken limit is more than chance.';

ALTER TABLE touchpoint_control
    COMMENT COLUMN touchpoint 'where',
    COMMENT COLUMN dimension 'effectiveness, ease or emotion',
    COMMENT COLUMN day 'by the clock of the business',
    COMMENT COLUMN mean 'of the evidence of that day, 0 to 100',
    COMMENT COLUMN n 'pieces of evidence of that day',
    COMMENT COLUMN ewma 'exponentially weighted moving average of the daily means',
    COMMENT COLUMN low 'lower control limit',
    COMMENT COLUMN high 'upper control limit',
    COMMENT COLUMN broken 'the average is outside: more than chance';
