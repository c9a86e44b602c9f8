-- Queues in intervals of 15 minutes: counts and sums, so that shares and means hold for whatever is grouped.
-- Tools show times as UTC; `interval_start` is the wall clock of the business.
SELECT
    toDateTime(toString(q.interval_start), 'UTC') AS interval_start,
    toDate(q.interval_start) AS day,
    concat(leftPad(toString(toHour(q.interval_start)), 2, '0'), ':00') AS hour_of_day,
    if(q.queue = '', 'not said', q.queue) AS queue,
    if(t.name = '', q.touchpoint, t.name) AS touchpoint_name, t.owner AS owner, q.channel AS channel,
    q.offered AS offered, q.answered AS answered, q.abandoned AS abandoned, q.waits AS waits, q.wait_sum_s AS wait_sum_s,
    q.handles AS handles, q.handle_sum_s AS handle_sum_s, q.answered_within AS answered_within,
    q.abandoned_within AS abandoned_within
FROM queue_intervals AS q
LEFT JOIN touchpoints AS t ON t.touchpoint = q.touchpoint
