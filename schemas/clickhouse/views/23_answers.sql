-- A survey about an interaction (`about`, its event_id, whatever identifier either is under) counts where that was. The
-- answer's own touchpoint and channel stand where it is about nothing that is known.
CREATE OR REPLACE VIEW answers AS
SELECT
    a.person AS person,
    a.occurred_at AS occurred_at,
    a.source AS source,
    a.event_id AS event_id,
    a.answer_question AS question,
    a.answer_value AS value,
    a.answer_min AS min,
    a.answer_max AS max,
    a.effectiveness AS effectiveness,
    a.ease AS ease,
    a.emotion AS emotion,
    a.properties['comment'] AS comment,
    a.about AS about,
    i.event_id != '' AS found,
    if(found, i.touchpoint, a.touchpoint) AS touchpoint,
    if(found, i.channel, a.channel) AS channel,
    i.queue AS queue
FROM (SELECT * FROM interactions_by_person WHERE answer_value IS NOT NULL) AS a
LEFT JOIN
(
    SELECT
        event_id,
        argMin(touchpoint, (source, identifier)) AS touchpoint,
        argMin(channel, (source, identifier)) AS channel,
        argMin(details['queue'], (source, identifier)) AS queue
    FROM interactions FINAL
    WHERE event_id IN (SELECT about FROM interactions WHERE about != '' AND answer_value IS NOT NULL)
    GROUP BY event_id
) AS i ON a.about != '' AND i.event_id = a.about
SETTINGS join_use_nulls = 0
COMMENT 'Survey answers, each at the touchpoint and channel of the interaction that it is about.';
