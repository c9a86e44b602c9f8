-- What everybody's interactions with evidence say, today and in the 27 days before: made for the views of units and segments.
CREATE OR REPLACE VIEW experiences_lately AS
SELECT
    person,
    occurred_at,
    toDate(occurred_at, '${time_zone}') AS day,
    touchpoint,
    channel,
    effectiveness,
    ease,
    emotion,
    arrayAvg(arrayMap(x -> assumeNotNull(x), arrayFilter(x -> x IS NOT NULL, [effectiveness, ease, emotion]))) AS score,
    properties,
    details
FROM interactions_by_person
WHERE occurred_at >= toStartOfDay(now64(3) - INTERVAL 27 DAY, '${time_zone}')
  AND (effectiveness IS NOT NULL OR ease IS NOT NULL OR emotion IS NOT NULL)
COMMENT 'Interactions with evidence of the last 28 days, and their mean.';
