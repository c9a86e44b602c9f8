-- What each source sent in the last 7 days, by hour, and how long after it had happened. `hour` is the wall clock of the business.
SELECT
    toDateTime(toString(a.hour), 'UTC') AS hour, toDate(a.hour) AS day, channel, source, interactions, delay_median_s, delay_95_s,
    received_last_at, dateDiff('minute', received_last_at, now64(3)) / 60 AS silent_h
FROM arrivals AS a
