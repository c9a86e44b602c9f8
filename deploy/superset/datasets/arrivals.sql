-- What each source sent in the last 7 days, by hour, and how long after it had happened. `hour` is the wall clock of the business.
SELECT
    toDateTime(toString(hour), 'UTC') AS hour, channel, source, interactions, delay_median_s, delay_95_s, received_last_at,
    dateDiff('minute', received_last_at, now64(3)) / 60 AS silent_h
FROM arrivals
