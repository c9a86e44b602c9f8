-- What everybody's interactions with evidence say, in the last 28 days: made for the views of units and segments.
CREATE OR REPLACE VIEW experiences_lately AS
SELECT
    person,
    occurred_at,
    toDate(occurred_at, '${time_zone}') AS day,
    touchpoint,
    channel,
    identifier,
    effectiveness,
    ease,
    emotion,
    arrayAvg(arrayMap(x -> assumeNotNull(x), arrayFilter(x -> x IS NOT NULL, [effectiveness, ease, emotion]))) AS score,
    properties,
    details,
    arrayFilter(each -> each.2 != '', [
        ('store', details['store']),
        ('partner', details['partner']),
        ('team', if(details['team'] != '', details['team'], if(details['agent'] != '', details['agent'], details['staff'])))
    ]) AS units
FROM interactions_by_person
WHERE occurred_day >= today() - 29 AND occurred_at > now64(3) - INTERVAL 28 DAY
  AND (effectiveness IS NOT NULL OR ease IS NOT NULL OR emotion IS NOT NULL)
COMMENT 'Interactions with evidence of the last 28 days, and their mean.';
