-- A dot is green, yellow or red only where n is large enough and the whole interval lies on one side of each threshold;
-- else grey, with the reason. A score is the mean of the known dimensions, asked and observed together; its interval
-- takes them as independent.
CREATE OR REPLACE VIEW touchpoint_dots AS
WITH
    (n, total, squares) -> if(n < 2, 0, greatest(squares - total * total / n, 0) / (n - 1) / n) AS variance,
    (green, yellow, x) -> multiIf(
        green > yellow AND x >= green OR green < yellow AND x <= green, 'green',
        green > yellow AND x >= yellow OR green < yellow AND x <= yellow, 'yellow',
        'red'
    ) AS band
SELECT
    d.touchpoint AS touchpoint,
    d.name AS name,
    d.owner AS owner,
    d.deputy AS deputy,
    d.layer AS layer,
    d.measure AS measure,
    d.value AS value,
    d.n AS n,
    d.low AS low,
    d.high AS high,
    multiIf(d.n < greatest(d.n_min, 2) OR d.low IS NULL, 'grey', d.band_low = d.band_high, d.band_low, 'grey') AS dot,
    multiIf(
        d.n = 0, 'no evidence',
        d.n < greatest(d.n_min, 2), concat(toString(d.n), if(d.n = 1, ' piece', ' pieces'), ' of evidence, and ', toString(greatest(d.n_min, 2)), ' are needed'),
        d.low IS NULL, 'nothing is known of the spread',
        d.band_low != d.band_high, concat('between ', toString(round(d.low, 1)), ' and ', toString(round(d.high, 1)), ': that may be ', d.band_low, ' or ', d.band_high),
        concat(toString(round(d.value, 1)), ' from ', toString(d.n), ' pieces of evidence, between ', toString(round(d.low, 1)), ' and ', toString(round(d.high, 1)),
               '; green from ', toString(d.green), ', yellow from ', toString(d.yellow))
    ) AS reason,
    d.when_red AS when_red,
    now64(3) - toIntervalHour(d.hours) AS since,
    now64(3) AS until
FROM
(
    SELECT
        t.touchpoint AS touchpoint, t.name AS name, t.owner AS owner, t.deputy AS deputy, t.layer AS layer, t.measure AS measure,
        t.hours AS hours, t.n_min AS n_min, t.green AS green, t.yellow AS yellow, t.when_red AS when_red,
        coalesce(if(t.measure = 'score', s.n, o.n), 0) AS n,
        if(n = 0, NULL, if(t.measure = 'score', s.value, o.value)) AS value,
        if(n < 2, NULL, if(t.measure = 'score', s.margin, o.margin)) AS margin,
        if(t.measure = 'score', greatest(value - margin, 0), value - margin) AS low,
        if(t.measure = 'score', least(value + margin, 100), value + margin) AS high,
        if(low IS NULL, '', band(t.green, t.yellow, low)) AS band_low,
        if(high IS NULL, '', band(t.green, t.yellow, high)) AS band_high
    FROM (SELECT * FROM touchpoints WHERE measure != '') AS t
    LEFT JOIN
    (
        SELECT
            touchpoint,
            e_n + a_n + m_n AS n,
            (e_n > 0) + (a_n > 0) + (m_n > 0) AS known,
            (if(e_n = 0, 0, e_sum / e_n) + if(a_n = 0, 0, a_sum / a_n) + if(m_n = 0, 0, m_sum / m_n)) / known AS value,
            1.959963984540054 * sqrt(variance(e_n, e_sum, e_sum2) + variance(a_n, a_sum, a_sum2) + variance(m_n, m_sum, m_sum2)) / known AS margin
        FROM
        (
            SELECT
                q.touchpoint AS touchpoint,
                sum(q.effectiveness_asked_n + q.effectiveness_observed_n) AS e_n,
                sum(q.effectiveness_asked_sum + q.effectiveness_observed_sum) AS e_sum,
                sum(q.effectiveness_asked_sum2 + q.effectiveness_observed_sum2) AS e_sum2,
                sum(q.ease_asked_n + q.ease_observed_n) AS a_n,
                sum(q.ease_asked_sum + q.ease_observed_sum) AS a_sum,
                sum(q.ease_asked_sum2 + q.ease_observed_sum2) AS a_sum2,
                sum(q.emotion_asked_n + q.emotion_observed_n) AS m_n,
                sum(q.emotion_asked_sum + q.emotion_observed_sum) AS m_sum,
                sum(q.emotion_asked_sum2 + q.emotion_observed_sum2) AS m_sum2
            FROM touchpoint_scores AS q FINAL
            INNER JOIN (SELECT touchpoint, hours FROM touchpoints WHERE measure = 'score') AS h ON h.touchpoint = q.touchpoint
            WHERE q.window_start > now64(3) - toIntervalHour((SELECT max(hours) FROM touchpoints WHERE measure = 'score'))
              AND q.window_start > now64(3) - toIntervalHour(h.hours)
            GROUP BY q.touchpoint
        )
        WHERE n > 0
    ) AS s ON s.touchpoint = t.touchpoint
    LEFT JOIN
    (
        SELECT
            o.touchpoint AS touchpoint,
            o.measure AS measure,
            count() AS n,
            avg(o.value) AS value,
            1.959963984540054 * stddevSamp(o.value) / sqrt(n) AS margin
        FROM observations AS o FINAL
        INNER JOIN (SELECT touchpoint, measure, hours FROM touchpoints WHERE measure NOT IN ('', 'score')) AS h
            ON h.touchpoint = o.touchpoint AND h.measure = o.measure
        WHERE o.observed_at > now64(3) - toIntervalHour(h.hours) AND o.observed_at <= now64(3) + INTERVAL 5 MINUTE
        GROUP BY o.touchpoint, o.measure
    ) AS o ON o.touchpoint = t.touchpoint AND o.measure = t.measure
) AS d
SETTINGS join_use_nulls = 0
COMMENT 'How each touchpoint is doing now: its dot, and why.';
