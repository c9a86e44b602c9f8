-- A dot is green, yellow or red only where there is enough evidence and the whole interval lies on one side of each
-- threshold; else it is grey, and says why. A score is the mean of the means of those dimensions that have enough pieces
-- of evidence (n_min of the catalogue), asked and observed together; its margin is the mean of theirs, the widest that it
-- can be whatever they have to do with each other. What lies behind the line of visibility is the mean of observations.
-- With fewer than 30 pieces Student's t stands for the normal distribution: `score` and `mean_of_few` of
-- pipeline/domain/intervals.py. The last hours (`since` to now) are hours of the business's clock, this one included.
-- Numbers are cut, not rounded, so that what is written never lies on the other side of a threshold than what is meant.
-- (What other views say stands in this one itself: the planner is done sooner than with views of views.)
CREATE OR REPLACE VIEW touchpoint_dots AS
WITH
    n -> if(n < 30, [12.706205, 4.302653, 3.182446, 2.776445, 2.570582, 2.446912, 2.364624, 2.306004, 2.262157, 2.228139,
        2.200985, 2.178813, 2.160369, 2.144787, 2.131450, 2.119905, 2.109816, 2.100922, 2.093024, 2.085963,
        2.079614, 2.073873, 2.068658, 2.063899, 2.059539, 2.055529, 2.051831, 2.048407][n - 1], 1.959963984540054) AS quantile_95,
    (n, total, squares) -> quantile_95(n) * sqrt(greatest(squares - total * total / n, 0) / (n - 1) / n) AS margin_95,
    (sign, green, yellow, x) -> multiIf(sign * x >= sign * green, 'green', sign * x >= sign * yellow, 'yellow', 'red') AS band,
    hours -> multiIf(hours = 1, 'hour', hours > 24 AND hours % 24 = 0, concat(toString(intDiv(hours, 24)), ' days'), concat(toString(hours), ' hours')) AS long,
    n -> trimLeft(reverse(replaceRegexpAll(reverse(toString(n)), '([0-9][0-9][0-9])', '\\1,')), ',') AS grouped,
    (sign, places, x) -> ifNull(toString(sign * floor(sign * x, places) + 0), '') AS number
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
    if(d.band_low = d.band_high AND d.band_low != '', d.band_low, 'grey') AS dot,
    multiIf(
        d.n = 0, concat('no evidence', if(d.measure = 'score', '', concat(' of ', d.said)), ' in the last ', d.long_),
        d.band_low = '' AND d.kinds > 1,
            concat('no dimension has more than ', d.pieces, ' in the last ', d.long_, ', and ', d.least_, ' are needed'),
        d.band_low = '', concat(d.pieces, ' in the last ', d.long_, ', and ', d.least_, ' are needed'),
        concat(
            d.said, ' ', d.value_, ' from ', d.pieces, ', ',
            if(d.band_low = d.band_high, concat('between ', d.low_, ' and ', d.high_, ' (95 %): ', d.rule),
               concat('but it may be anything between ', d.low_, ' and ', d.high_, ' (95 %), ',
                      if('red' IN (d.band_low, d.band_high) AND 'green' IN (d.band_low, d.band_high), 'from red to green',
                         concat(least(d.band_low, d.band_high), ' or ', greatest(d.band_low, d.band_high))), ': ', d.rule))
        )
    ) AS reason,
    d.when_red AS when_red,
    d.since AS since,
    now64(3) AS until
FROM
(
    SELECT
        t.touchpoint AS touchpoint, t.name AS name, t.owner AS owner, t.deputy AS deputy, t.layer AS layer, t.measure AS measure,
        t.when_red AS when_red, t.since AS since,
        replaceAll(t.measure, '_', ' ') AS said, t.measure = 'score' AS scored,
        if(t.green > t.yellow, 1, -1) AS sign,  -- of what is better
        toUInt8(least(greatest(2 - floor(log10(abs(t.green - t.yellow))), 0), 6)) AS places,
        coalesce(if(scored, s.n, o.n), 0) AS n,
        if(n = 0, NULL, if(scored, s.value, o.value)) AS value,
        greatest(t.n_min, 2) AS enough,
        if(n < enough, NULL, if(scored, s.margin, o.margin)) AS margin,
        -- (greatest and least pass over nulls.)
        multiIf(margin IS NULL, NULL, scored, greatest(value - margin, 0), value - margin) AS low,
        multiIf(margin IS NULL, NULL, scored, least(value + margin, 100), value + margin) AS high,
        if(low IS NULL, '', band(sign, t.green, t.yellow, low)) AS band_low,
        if(high IS NULL, '', band(sign, t.green, t.yellow, high)) AS band_high,
        if(scored, s.kinds, 1) AS kinds,
        -- In words.
        long(t.hours) AS long_,
        grouped(enough) AS least_,
        concat(grouped(n), if(n = 1, ' piece of evidence', ' pieces of evidence')) AS pieces,
        number(sign, places, value) AS value_,
        number(sign, places, low) AS low_,
        number(sign, places, high) AS high_,
        concat('green ', if(t.green > t.yellow, 'from ', 'up to '), toString(t.green), ', yellow ', if(t.green > t.yellow, 'from ', 'up to '), toString(t.yellow)) AS rule
    FROM
    (
        SELECT *, toStartOfHour(now64(3) - toIntervalHour(hours), '${time_zone}') + INTERVAL 1 HOUR AS since
        FROM (${touchpoints_known})
        WHERE measure != ''
    ) AS t
    LEFT JOIN
    (
        SELECT
            touchpoint,
            length(known) AS kinds,
            arrayFilter(each -> each.1 >= greatest(n_min, 2), known) AS counted,
            arrayAvg(each -> each.2 / each.1, if(empty(counted), known, counted)) AS value,
            if(empty(counted), arrayMax(each -> each.1, known), arraySum(each -> each.1, counted)) AS n,
            if(empty(counted), NULL, arrayAvg(each -> margin_95(each.1, each.2, each.3), counted)) AS margin
        FROM
        (
            SELECT
                q.touchpoint AS touchpoint,
                any(h.n_min) AS n_min,
                arrayFilter(each -> each.1 > 0, [
                    (sum(q.effectiveness_asked_n + q.effectiveness_observed_n), sum(q.effectiveness_asked_sum + q.effectiveness_observed_sum),
                     sum(q.effectiveness_asked_sum2 + q.effectiveness_observed_sum2)),
                    (sum(q.ease_asked_n + q.ease_observed_n), sum(q.ease_asked_sum + q.ease_observed_sum), sum(q.ease_asked_sum2 + q.ease_observed_sum2)),
                    (sum(q.emotion_asked_n + q.emotion_observed_n), sum(q.emotion_asked_sum + q.emotion_observed_sum),
                     sum(q.emotion_asked_sum2 + q.emotion_observed_sum2))
                ]) AS known
            FROM
            (
${rows_of_sums}
            ) AS q
            INNER JOIN (SELECT touchpoint, hours, n_min FROM (${touchpoints_known}) WHERE measure = 'score') AS h ON h.touchpoint = q.touchpoint
            WHERE q.hour > now() - toIntervalHour((SELECT max(hours) FROM (${touchpoints_known}) WHERE measure = 'score'))
              AND q.hour > now() - toIntervalHour(h.hours)
            GROUP BY q.touchpoint
        )
        WHERE notEmpty(known)
    ) AS s ON s.touchpoint = t.touchpoint
    LEFT JOIN
    (
        SELECT
            o.touchpoint AS touchpoint,
            o.measure AS measure,
            count() AS n,
            avg(o.value) AS value,
            if(n < 2, NULL, quantile_95(n) * stddevSampStable(o.value) / sqrt(n)) AS margin
        FROM observations AS o FINAL
        INNER JOIN (SELECT touchpoint, measure, hours FROM (${touchpoints_known}) WHERE measure NOT IN ('', 'score')) AS h
            ON h.touchpoint = o.touchpoint AND h.measure = o.measure
        WHERE o.observed_at >= toStartOfHour(now64(3) - toIntervalHour(h.hours), '${time_zone}') + INTERVAL 1 HOUR
          AND o.observed_at <= now64(3) + INTERVAL 5 MINUTE
        GROUP BY o.touchpoint, o.measure
    ) AS o ON o.touchpoint = t.touchpoint AND o.measure = t.measure
) AS d
SETTINGS join_use_nulls = 0
COMMENT 'How each touchpoint is doing now: its dot, and why.';

ALTER TABLE touchpoint_dots
    COMMENT COLUMN touchpoint 'its id',
    COMMENT COLUMN name 'for people',
    COMMENT COLUMN owner 'who can do something about it',
    COMMENT COLUMN deputy 'who is told when the owner does nothing',
    COMMENT COLUMN layer 'evidence, customer, frontstage, backstage, support',
    COMMENT COLUMN measure 'score, or the measure of observations that the dot is made of',
    COMMENT COLUMN value 'the score (0 to 100), or the mean of the observations; null: no evidence',
    COMMENT COLUMN n 'pieces of evidence that it is made of',
    COMMENT COLUMN low 'lower end of its 95 % interval; null: too little evidence',
    COMMENT COLUMN high 'upper end of its 95 % interval; null: too little evidence',
    COMMENT COLUMN dot 'green, yellow, red, or grey where nobody can say',
    COMMENT COLUMN reason 'why, in words',
    COMMENT COLUMN when_red 'what to do when it is red',
    COMMENT COLUMN since 'from when on evidence counts',
    COMMENT COLUMN until 'the moment of the query';
