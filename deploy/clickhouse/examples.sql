-- Questions that people ask, in plain SQL. Each runs as the user `bi`, here and on a server, in any tool. The views, column by
-- column, are in schemas/clickhouse/VIEWS.md. Here, with the stack running:
--
--     curl -s "http://127.0.0.1:8123/?database=throughline" -u "$(key bi.user):$(key bi.password)" \
--       -d "SELECT dot, name, reason FROM touchpoint_dots FORMAT PrettyCompact"

-- Which touchpoints are in a bad way now, why, and who can do something about it? Grey is not green: nobody can say.
SELECT dot, name, value, low, high, n, reason, owner, when_red
FROM touchpoint_dots
WHERE dot IN ('red', 'yellow')
ORDER BY dot, name;

-- Which channel takes most effort? Means are made of sums, never of means: so n and interval are right for any grouping.
SELECT
    channel, sum(n) AS pieces, round(sum(total) / pieces, 1) AS ease,
    round(1.96 * sqrt(greatest(sum(squares) - sum(total) * sum(total) / pieces, 0) / (pieces - 1) / pieces), 1) AS margin
FROM evidence_daily
WHERE dimension = 'ease' AND day >= today() - 27
GROUP BY channel
HAVING pieces > 1
ORDER BY ease;

-- Do people say (asked) what we see (observed)? A gap between the two is a question to ask.
SELECT
    touchpoint, dimension,
    sumIf(n, kind = 'asked') AS asked_n, round(sumIf(total, kind = 'asked') / nullIf(asked_n, 0)) AS asked,
    sumIf(n, kind = 'observed') AS observed_n, round(sumIf(total, kind = 'observed') / nullIf(observed_n, 0)) AS observed
FROM evidence_daily
WHERE day >= today() - 27
GROUP BY touchpoint, dimension
HAVING asked_n >= 30 AND observed_n >= 30
ORDER BY abs(asked - observed) DESC;

-- What is our net promoter score, week by week, and how sure is it?
SELECT week, touchpoint, nps, nps_low, nps_high, nps_n
FROM touchpoint_weekly
WHERE nps_n > 0 AND week >= today() - 84
ORDER BY week;

-- When do people wait longest? Sums and counts are added up, never shares.
SELECT
    toHour(interval_start) AS hour, sum(offered) AS contacts, round(sum(wait_sum_s) / nullIf(sum(waits), 0)) AS mean_wait_s,
    round(sum(abandoned) / contacts, 3) AS abandoned_share
FROM queue_intervals
WHERE interval_start >= now() - INTERVAL 28 DAY
GROUP BY hour
ORDER BY hour;

-- How many contacts are about something that we had been asked already, by touchpoint?
SELECT touchpoint, count() AS contacts, round(countIf(repeat) / contacts, 3) AS repeat_share
FROM contacts_resolved
WHERE occurred_at >= now() - INTERVAL 28 DAY
GROUP BY touchpoint
ORDER BY contacts DESC;

-- Where do people leave the way to an order?
SELECT position, step_name, persons, went_on_share, went_on_low, went_on_high, dropped_off
FROM journey_steps
WHERE journey = 'buy'
ORDER BY position;

-- Which complaints are past their time, and what should have happened?
SELECT complaint, touchpoint, stage, overdue, round(age_h) AS hours, allowed_h
FROM complaint_times
WHERE overdue != ''
ORDER BY age_h DESC;

-- How long does it take to close a complaint? Half, and nine of ten, are closed within these hours.
SELECT touchpoint, count() AS closed, round(median(closed_h), 1) AS half_h, round(quantile(0.9)(closed_h), 1) AS nine_of_ten_h
FROM complaint_times
WHERE closed_h IS NOT NULL AND received_at >= now() - INTERVAL 90 DAY
GROUP BY touchpoint
ORDER BY closed DESC;

-- Who may leave, and why? Persons are ids; who they are is on the agent desk, for those who may know.
SELECT person, round(overall) AS score, overall_n AS n, worst_touchpoint, at_risk_reason
FROM customer_current
WHERE at_risk
ORDER BY overall
LIMIT 50;

-- Do people who use several channels fare worse than those with one?
SELECT segment, sum(ease_n) AS n, round(sum(ease * ease_n) / nullIf(n, 0)) AS mean_ease
FROM experience_by_segment
WHERE kind = 'channels'
GROUP BY segment;

-- What should be improved first? What `throughline analyse drivers` found last: how much of overall experience each touchpoint
-- carries, and how well it is doing.
SELECT name, round(100 * share) AS percent, round(100 * share_low) AS from_percent, round(100 * share_high) AS to_percent,
    round(performance) AS doing, n, quadrant, caveats
FROM drivers
WHERE of = 'touchpoints'
ORDER BY position;

-- Whose experience is worse than the others', by more than chance? What `throughline analyse segments` found last.
SELECT trait, segment, n, round(mean) AS experience, round(difference, 1) AS compared, verdict
FROM segments
WHERE of = 'overall' AND verdict = 'worse'
ORDER BY difference;

-- Who contacted us soon after which touchpoint, about what, at what cost? What `throughline analyse paths` found last.
SELECT after, from_channel_or_step AS before, to_channel_or_step AS then, issue, times, n AS people,
    round(handle_s / 3600, 1) AS hours, cost, currency
FROM paths
WHERE part = 'contact'
ORDER BY times DESC;

-- Does the ledger add up? `off_by` is 0 on every row, and `on_the_way` is what is not in ClickHouse yet.
SELECT channel, sum(received + carried + rekeyed - stored - duplicates - rejected - erased - on_the_way) AS off_by, sum(on_the_way) AS lag
FROM ledger
GROUP BY channel
ORDER BY channel;

-- What could not be used in the last week, and why?
SELECT reason, topic, count() AS n, max(rejected_at) AS last_at
FROM rejections
WHERE rejected_at >= now() - INTERVAL 7 DAY
GROUP BY reason, topic
ORDER BY n DESC;

-- Which source has gone silent?
SELECT source, channel, sum(interactions) AS n, max(received_last_at) AS last_at
FROM arrivals
GROUP BY source, channel
ORDER BY last_at;
