-- Who was offered to a queue: answered or abandoned, as the catalogue reads the outcome of a contact. What is neither (a
-- call that was none) is not offered. A contact counts in the quarter in which its event occurred.
CREATE OR REPLACE VIEW queue_intervals AS
WITH (SELECT value FROM settings_current WHERE name = 'service_level_s') AS within_s
SELECT
    toStartOfInterval(toTimeZone(occurred_at, '${time_zone}'), INTERVAL 15 MINUTE) AS interval_start,
    touchpoint,
    channel,
    queue,
    count() AS offered,
    countIf(queue_outcome = 'answered') AS answered,
    countIf(queue_outcome = 'abandoned') AS abandoned,
    sumIf(wait_s, queue_outcome = 'answered') AS answer_wait_s,
    sumIf(handle_s, queue_outcome = 'answered') AS answered_handle_s,
    countIf(wait_s, queue_outcome = 'answered') AS waits,
    countIf(handle_s, queue_outcome = 'answered') AS handles,
    if(waits = 0, NULL, answer_wait_s / waits) AS answer_speed_s,
    if(handles = 0, NULL, answered_handle_s / handles) AS handle_time_s,
    countIf(queue_outcome = 'answered' AND wait_s <= within_s) AS answered_within,
    countIf(queue_outcome = 'abandoned' AND wait_s <= within_s) AS abandoned_within,
    answered_within / offered AS service_level_offered,
    if(offered = abandoned_within, NULL, answered_within / (offered - abandoned_within)) AS service_level_net,
    abandoned / offered AS abandonment
FROM contacts_attributed
WHERE queue_outcome != ''
GROUP BY interval_start, touchpoint, channel, queue
COMMENT 'Per 15 minutes and queue: offered, answered, abandoned, speed of answer, handle time, service level in two forms. Add up the counts and sums, not the shares.';
