-- Queues in which somebody waits at this moment.
SELECT
    if(q.queue = '', 'not said', q.queue) AS queue, if(t.name = '', q.touchpoint, t.name) AS touchpoint_name, t.owner AS owner,
    q.channel AS channel, q.waiting AS waiting, q.longest_wait_s AS longest_wait_s
FROM queue_now AS q
LEFT JOIN touchpoints AS t ON t.touchpoint = q.touchpoint
