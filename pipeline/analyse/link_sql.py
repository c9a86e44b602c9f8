"""What `link` asks ClickHouse. Moments are bound as ms since 1970.

Sums and means are rounded, and people in their order, so that the same rows give the same figures.
"""

from __future__ import annotations

#: Of each person who was known by name and active at the landmark: the scores as they stood at three moments, by days
#: that were over then; what was seen until the landmark; and whether they had left by then. Rows of scores are of
#: persons as they are known now, and so are results. Who refuses analysis is no person here.
CUSTOMERS = """
WITH
    fromUnixTimestamp64Milli({landmark:Int64}, 'UTC') AS landmark,
    fromUnixTimestamp64Milli({until:Int64}, 'UTC') AS end,
    fromUnixTimestamp64Milli({before:Int64}, 'UTC') AS before,
    fromUnixTimestamp64Milli({active:Int64}, 'UTC') AS active,
    fromUnixTimestamp64Milli({recent:Int64}, 'UTC') AS recently,
    fromUnixTimestamp64Milli({control:Int64}, 'UTC') AS control,
    fromUnixTimestamp64Milli({oldest:Int64}, 'UTC') AS oldest
SELECT
    ifNull(s.score, nan) AS score,
    (toUnixTimestamp64Milli(landmark) - toUnixTimestamp64Milli(p.first_seen)) / 86400000 AS tenure_days,
    round(ifNull(r.spend, 0), 6) AS spend,
    round(ifNull(r.net_after, 0), 6) AS net_after,
    r.bought_after AS bought_after,
    r.returned_after AS returned_after,
    r.churned_after AS churned_after,
    round(p.recent, 6) AS recent,
    ifNull(s.score_before, nan) AS score_before,
    ifNull(s.score_between, nan) AS score_between,
    (toUnixTimestamp64Milli(control) - toUnixTimestamp64Milli(p.first_seen)) / 86400000 AS control_tenure_days,
    round(ifNull(r.control_spend, 0), 6) AS control_spend,
    round(ifNull(r.net_control, 0), 6) AS net_control,
    r.bought_control AS bought_control,
    r.returned_control AS returned_control,
    r.elsewhere AS elsewhere,
    r.gone AS gone
FROM
(
    SELECT
        person,
        min(occurred_at) AS first_seen,
        max(occurred_at) AS last_seen,
        arrayFilter(mean -> isFinite(mean), [
            ifNull(avgIf(effectiveness, occurred_at >= recently), nan),
            ifNull(avgIf(ease, occurred_at >= recently), nan),
            ifNull(avgIf(emotion, occurred_at >= recently), nan)
        ]) AS seen,
        if(empty(seen), nan, arrayAvg(seen)) AS recent
    FROM interactions_by_person
    WHERE occurred_at < landmark AND match(person, '^(customer|loyalty):')
    GROUP BY person
    HAVING last_seen >= active AND countIf(match(identifier, '^(customer|loyalty):')) > 0
) AS p
LEFT JOIN
(
    SELECT
        person,
        argMaxIf(tuple(overall), day, day < toDate(landmark)).1 AS score,
        argMaxIf(tuple(overall), day, day < toDate(control)).1 AS score_before,
        argMaxIf(tuple(overall), day, day < toDate(recently)).1 AS score_between
    FROM customer_scores FINAL
    WHERE definition = {definition:UInt32} AND day < toDate(landmark) AND effectiveness_n + ease_n + emotion_n > 0
    GROUP BY person
) AS s ON s.person = p.person
LEFT JOIN
(
    SELECT
        person,
        sumIf(amount, ours AND earlier) AS spend,
        sumIf(amount, ours AND later) AS net_after,
        countIf(bought AND later) > 0 AS bought_after,
        countIf(returned AND later) > 0 AS returned_after,
        countIf(kind = 'churn' AND later) > 0 AS churned_after,
        sumIf(amount, ours AND earliest) AS control_spend,
        sumIf(amount, ours AND controlled) AS net_control,
        countIf(bought AND controlled) > 0 AS bought_control,
        countIf(returned AND controlled) > 0 AS returned_control,
        countIf(NOT ours AND occurred_at >= oldest AND currency != '' AND ifNull(amount, 0) != 0) > 0 AS elsewhere,
        countIf(kind = 'churn' AND NOT later) > 0
            AND maxIf(occurred_at, kind = 'churn' AND NOT later) >= maxIf(occurred_at, bought AND NOT later) AS gone
    FROM
    (
        SELECT
            *,
            currency = {currency:String} AS ours,
            kind IN ('order', 'renewal') AS bought,
            kind IN ('return', 'refund') AS returned,
            occurred_at >= before AND occurred_at < landmark AS earlier,
            occurred_at >= landmark AS later,
            occurred_at >= control AND occurred_at < recently AS controlled,
            occurred_at >= oldest AND occurred_at < control AS earliest
        FROM business_results
        WHERE occurred_at < end
    )
    GROUP BY person
) AS r ON r.person = p.person
ORDER BY p.person
SETTINGS join_use_nulls = 0"""
#: In which currencies amounts are, of how many people; and since when there are amounts in each, orders and renewals,
#: returns and refunds (ms since 1970; null: there are none).
CURRENCIES = """
SELECT
    currency,
    uniqExactIf(person, says) AS people,
    countIf(says) AS amounts,
    minOrNullIf(at, says) AS net,
    minOrNullIf(at, kind IN ('order', 'renewal')) AS bought,
    minOrNullIf(at, kind IN ('return', 'refund')) AS returned
FROM
(
    SELECT *, ifNull(amount, 0) != 0 AS says, toInt64(toUnixTimestamp64Milli(occurred_at)) AS at
    FROM business_results
    WHERE occurred_at < fromUnixTimestamp64Milli({until:Int64}, 'UTC')
)
GROUP BY currency ORDER BY people DESC, currency"""
