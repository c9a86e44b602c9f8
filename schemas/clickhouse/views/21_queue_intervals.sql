-- Who was offered to a queue: answered or abandoned, as the catalogue reads the outcome of a contact. What is neither (a
-- call that was none) is not offered. A contact counts in the quarter in which its event occurred. Who hung up without a
-- known wait never came so far, and counts as hung up within any time. These are figures of queues and name nobody: what
-- refuses analysis itself is not counted; what a person says later changes nothing, as in touchpoint_hourly.
CREATE OR REPLACE VIEW queue_intervals AS
WITH (SELECT any(value) FROM settings_current WHERE name = 'service_level_s') AS within_s
SELECT
    toStartOfFifteenMinutes(c.occurred_at, '${time_zone}') AS interval_start,  -- of this, indices know that it rises with time
    c.touchpoint AS touchpoint,
    c.channel AS channel,
    c.queue AS queue,
    count() AS offered,
    countIf(c.queue_outcome = 'answered') AS answered,
    countIf(c.queue_outcome = 'abandoned') AS abandoned,
    countIf(c.queue_outcome = 'answered' AND c.wait_s IS NOT NULL) AS waits,
    sumIf(ifNull(c.wait_s, 0), c.queue_outcome = 'answered') AS wait_sum_s,
    countIf(c.queue_outcome = 'answered' AND c.handle_s IS NOT NULL) AS handles,
    sumIf(ifNull(c.handle_s, 0), c.queue_outcome = 'answered') AS handle_sum_s,
    countIf(c.queue_outcome = 'answered' AND ifNull(c.wait_s <= within_s, false)) AS answered_within,
    countIf(c.queue_outcome = 'abandoned' AND ifNull(c.wait_s <= within_s, true)) AS abandoned_within,
    if(waits = 0, NULL, wait_sum_s / waits) AS answer_speed_s,
    if(handles = 0, NULL, handle_sum_s / handles) AS handle_time_s,
    answered_within / offered AS service_level_offered,
    if(offered = abandoned_within, NULL, answered_within / (offered - abandoned_within)) AS service_level_net,
    abandoned / offered AS abandonment
FROM contacts AS c FINAL
WHERE c.queue_outcome != '' AND (NOT mapContains(c.consent, 'analysis') OR c.consent['analysis'])
GROUP BY interval_start, c.touchpoint, c.channel, c.queue
COMMENT 'Per 15 minutes and queue: offered, answered, abandoned, speed of answer, handle time, service level in two forms. Add up the counts and sums, not the shares.';

ALTER TABLE queue_intervals
    COMMENT COLUMN interval_start 'start of the 15 minutes, by the clock of the business',
    COMMENT COLUMN touchpoint 'where people waited',
    COMMENT COLUMN channel 'in which channel',
    COMMENT COLUMN queue 'in which queue; empty: not said',
    COMMENT COLUMN offered 'who was answered or hung up',
    COMMENT COLUMN answered 'of them answered',
    COMMENT COLUMN abandoned 'of them hung up',
    COMMENT COLUMN waits 'answered with a known wait',
    COMMENT COLUMN wait_sum_s 'their waits, seconds',
    COMMENT COLUMN handles 'answered with a known handle time',
    COMMENT COLUMN handle_sum_s 'their handle times, seconds',
    COMMENT COLUMN answered_within 'answered within the time of business.yaml (service_level_s)',
    COMMENT COLUMN abandoned_within 'hung up within that time, or without waiting',
    COMMENT COLUMN answer_speed_s 'average speed of answer: mean wait of the answered, seconds',
    COMMENT COLUMN handle_time_s 'average handle time of the answered, seconds',
    COMMENT COLUMN service_level_offered 'answered within the time, of all offered',
    COMMENT COLUMN service_level_net 'answered within the time, of the offered less those who hung up within it',
    COMMENT COLUMN abandonment 'abandoned of offered';
