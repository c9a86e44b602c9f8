-- Sessions that rang or began in the last two hours, and were neither answered nor ended since.
CREATE OR REPLACE VIEW queue_now AS
SELECT
    touchpoint,
    channel,
    queue,
    count() AS waiting,
    max(waits_s) AS longest_wait_s
FROM
(
    SELECT
        argMax(touchpoint, occurred_at) AS touchpoint,
        any(channel) AS channel,
        argMax(details['queue'], occurred_at) AS queue,
        dateDiff('second', min(i.occurred_at), now64(3)) AS waits_s
    FROM interactions AS i FINAL
    WHERE i.occurred_at > now64(3) - INTERVAL 2 HOUR
      AND i.session_id != ''
      AND i.type IN ('call_ringing', 'call_answered', 'call_ended', 'chat_started', 'chat_answered', 'chat_ended')
      AND (NOT mapContains(i.consent, 'analysis') OR i.consent['analysis'])
    GROUP BY i.session_id, i.source
    HAVING countIf(i.type NOT IN ('call_ringing', 'chat_started')) = 0
)
GROUP BY touchpoint, channel, queue
COMMENT 'Who waits now: how many, and how long the longest.';
