-- Calls and chats that rang or began in the last two hours, and were neither answered nor ended since. Only what says so
-- is read, and copies that a newer version has replaced are set aside here: reading with FINAL would look at everything.
-- What came with a public key is nobody who waits: anybody could fill a queue with it.
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
        argMax(at_touchpoint, (at, version)) AS touchpoint,
        channel,
        argMax(in_queue, (in_queue != '', at, version)) AS queue,
        greatest(dateDiff('second', min(at), now64(3)), 0) AS waits_s
    FROM
    (
        SELECT
            i.session_id AS session_id,
            i.channel AS channel,
            argMax(i.type, i.version) AS kind,
            argMax(i.occurred_at, i.version) AS at,
            argMax(i.touchpoint, i.version) AS at_touchpoint,
            argMax(i.details['queue'], i.version) AS in_queue,
            argMax(NOT i.public AND (NOT mapContains(i.consent, 'analysis') OR i.consent['analysis']), i.version) AS allowed,
            max(i.version) AS version
        FROM interactions AS i
        WHERE i.type IN ('call_ringing', 'call_answered', 'call_ended', 'chat_started', 'chat_answered', 'chat_ended')
          AND i.occurred_at > now64(3) - INTERVAL 2 HOUR
          AND i.session_id != ''
        GROUP BY i.occurred_day, i.identifier, i.source, i.event_id, i.session_id, i.channel
    )
    WHERE allowed
    GROUP BY session_id, channel
    HAVING countIf(kind NOT IN ('call_ringing', 'chat_started')) = 0
)
GROUP BY touchpoint, channel, queue
COMMENT 'Who waits now: how many, and how long the longest.';

ALTER TABLE queue_now
    COMMENT COLUMN touchpoint 'where people wait',
    COMMENT COLUMN channel 'in which channel',
    COMMENT COLUMN queue 'in which queue; empty: not said',
    COMMENT COLUMN waiting 'how many',
    COMMENT COLUMN longest_wait_s 'how long the longest of them, seconds';
