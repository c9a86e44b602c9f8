-- An hour of the business's clock (${time_zone}). Intervals: mean ± 1.96 standard errors, kept within the scale;
-- null where fewer than two pieces of evidence say nothing about the spread.
CREATE OR REPLACE VIEW touchpoint_hourly AS
WITH
    (n, total) -> if(n = 0, NULL, total / n) AS mean,
    (n, total, squares) -> 1.96 * sqrt(greatest(squares - total * total / n, 0) / (n - 1) / n) AS margin,
    (n, total, squares) -> if(n < 2, NULL, greatest(total / n - margin(n, total, squares), 0)) AS low,
    (n, total, squares) -> if(n < 2, NULL, least(total / n + margin(n, total, squares), 100)) AS high
SELECT
    s.hour AS hour,
    s.touchpoint AS touchpoint,
    s.channel AS channel,
    s.definition AS definition,
    s.interactions AS interactions,
    s.effectiveness_asked_n AS effectiveness_asked_n,
    mean(s.effectiveness_asked_n, s.effectiveness_asked_sum) AS effectiveness_asked_mean,
    low(s.effectiveness_asked_n, s.effectiveness_asked_sum, s.effectiveness_asked_sum2) AS effectiveness_asked_low,
    high(s.effectiveness_asked_n, s.effectiveness_asked_sum, s.effectiveness_asked_sum2) AS effectiveness_asked_high,
    s.effectiveness_observed_n AS effectiveness_observed_n,
    mean(s.effectiveness_observed_n, s.effectiveness_observed_sum) AS effectiveness_observed_mean,
    low(s.effectiveness_observed_n, s.effectiveness_observed_sum, s.effectiveness_observed_sum2) AS effectiveness_observed_low,
    high(s.effectiveness_observed_n, s.effectiveness_observed_sum, s.effectiveness_observed_sum2) AS effectiveness_observed_high,
    s.ease_asked_n AS ease_asked_n,
    mean(s.ease_asked_n, s.ease_asked_sum) AS ease_asked_mean,
    low(s.ease_asked_n, s.ease_asked_sum, s.ease_asked_sum2) AS ease_asked_low,
    high(s.ease_asked_n, s.ease_asked_sum, s.ease_asked_sum2) AS ease_asked_high,
    s.ease_observed_n AS ease_observed_n,
    mean(s.ease_observed_n, s.ease_observed_sum) AS ease_observed_mean,
    low(s.ease_observed_n, s.ease_observed_sum, s.ease_observed_sum2) AS ease_observed_low,
    high(s.ease_observed_n, s.ease_observed_sum, s.ease_observed_sum2) AS ease_observed_high,
    s.emotion_asked_n AS emotion_asked_n,
    mean(s.emotion_asked_n, s.emotion_asked_sum) AS emotion_asked_mean,
    low(s.emotion_asked_n, s.emotion_asked_sum, s.emotion_asked_sum2) AS emotion_asked_low,
    high(s.emotion_asked_n, s.emotion_asked_sum, s.emotion_asked_sum2) AS emotion_asked_high,
    s.emotion_observed_n AS emotion_observed_n,
    mean(s.emotion_observed_n, s.emotion_observed_sum) AS emotion_observed_mean,
    low(s.emotion_observed_n, s.emotion_observed_sum, s.emotion_observed_sum2) AS emotion_observed_low,
    high(s.emotion_observed_n, s.emotion_observed_sum, s.emotion_observed_sum2) AS emotion_observed_high
FROM
(
    SELECT
        toStartOfHour(q.window_start, '${time_zone}') AS hour,
        q.touchpoint AS touchpoint,
        q.channel AS channel,
        max(q.definition) AS definition,
        sum(q.interactions) AS interactions,
        sum(q.effectiveness_asked_n) AS effectiveness_asked_n,
        sum(q.effectiveness_asked_sum) AS effectiveness_asked_sum,
        sum(q.effectiveness_asked_sum2) AS effectiveness_asked_sum2,
        sum(q.effectiveness_observed_n) AS effectiveness_observed_n,
        sum(q.effectiveness_observed_sum) AS effectiveness_observed_sum,
        sum(q.effectiveness_observed_sum2) AS effectiveness_observed_sum2,
        sum(q.ease_asked_n) AS ease_asked_n,
        sum(q.ease_asked_sum) AS ease_asked_sum,
        sum(q.ease_asked_sum2) AS ease_asked_sum2,
        sum(q.ease_observed_n) AS ease_observed_n,
        sum(q.ease_observed_sum) AS ease_observed_sum,
        sum(q.ease_observed_sum2) AS ease_observed_sum2,
        sum(q.emotion_asked_n) AS emotion_asked_n,
        sum(q.emotion_asked_sum) AS emotion_asked_sum,
        sum(q.emotion_asked_sum2) AS emotion_asked_sum2,
        sum(q.emotion_observed_n) AS emotion_observed_n,
        sum(q.emotion_observed_sum) AS emotion_observed_sum,
        sum(q.emotion_observed_sum2) AS emotion_observed_sum2
    FROM touchpoint_quarters AS q
    GROUP BY hour, q.touchpoint, q.channel
) AS s
COMMENT 'Per hour, touchpoint and channel: n, mean and 95 % interval of each dimension, asked and observed apart.';
