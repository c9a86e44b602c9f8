-- How late things come is a matter of sources (an app without a network, a nightly file), not of the pipeline, whose own lag
-- is on_the_way in the ledger. Eight days of occurred_day hold the last seven of any clock.
CREATE OR REPLACE VIEW arrivals AS
SELECT
    toStartOfHour(toTimeZone(i.occurred_at, '${time_zone}')) AS hour,
    i.channel AS channel,
    i.source AS source,
    count() AS interactions,
    quantileTDigest(0.5)(greatest(0, dateDiff('millisecond', i.occurred_at, i.received_at)) / 1000) AS delay_median_s,
    quantileTDigest(0.95)(greatest(0, dateDiff('millisecond', i.occurred_at, i.received_at)) / 1000) AS delay_95_s,
    max(i.received_at) AS received_last_at
FROM interactions AS i FINAL
WHERE i.occurred_day >= today() - 8 AND i.occurred_at > now64(3) - INTERVAL 7 DAY
GROUP BY hour, channel, source
COMMENT 'A row is a source in a channel in an hour: how much came, how late. The last 7 days.';

ALTER TABLE arrivals
    COMMENT COLUMN hour 'in which things happened, by the clock of the business',
    COMMENT COLUMN channel 'the channel',
    COMMENT COLUMN source 'system that sent them',
    COMMENT COLUMN interactions 'how many',
    COMMENT COLUMN delay_median_s 'half of them were received within this time of happening, seconds',
    COMMENT COLUMN delay_95_s '95 of 100 of them were, seconds',
    COMMENT COLUMN received_last_at 'when the last of them was received';
