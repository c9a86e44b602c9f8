-- A survey about an interaction (`about`, its event_id, whatever identifier either is under) counts where that was. Ids
-- are a source's own: where several interactions have that id, one of the same person comes first, then one of the same
-- source; where there are still several, nothing is guessed. Then, and where it is about nothing that is known, the
-- answer's own touchpoint and channel stand.
CREATE OR REPLACE VIEW answers AS
WITH arrayFilter(each -> each.1 = arrayMax(x -> x.1, named), named) AS nearest
SELECT
    person, occurred_at, source, event_id, question, value, min, max, effectiveness, ease, emotion, comment, about,
    length(nearest) = 1 AS found,
    if(found, nearest[1].2, own_touchpoint) AS touchpoint,
    if(found, nearest[1].3, own_channel) AS channel,
    if(found, nearest[1].4, own_queue) AS queue
FROM
(
    SELECT
        a.person AS person,
        a.occurred_at AS occurred_at,
        a.source AS source,
        a.event_id AS event_id,
        any(a.answer_question) AS question,
        any(assumeNotNull(a.answer_value)) AS value,
        any(assumeNotNull(a.answer_min)) AS min,
        any(assumeNotNull(a.answer_max)) AS max,
        any(a.effectiveness) AS effectiveness,
        any(a.ease) AS ease,
        any(a.emotion) AS emotion,
        any(a.properties['comment']) AS comment,
        any(a.about) AS about,
        any(a.touchpoint) AS own_touchpoint,
        any(a.channel) AS own_channel,
        any(a.details['queue']) AS own_queue,
        groupArrayIf((2 * (i.person = a.person) + (i.source = a.source), i.touchpoint, i.channel, i.queue), i.known) AS named
    FROM (SELECT * FROM interactions_by_person WHERE answer_value IS NOT NULL) AS a
    LEFT JOIN
    (
        SELECT true AS known, event_id, person, source, touchpoint, channel, details['queue'] AS queue
        FROM interactions_by_person
        WHERE event_id IN (SELECT about FROM interactions WHERE about != '' AND answer_value IS NOT NULL) AND answer_value IS NULL
    ) AS i ON i.event_id = a.about
    GROUP BY a.person, a.occurred_at, a.identifier, a.source, a.event_id
)
SETTINGS join_use_nulls = 0
COMMENT 'Survey answers, each at the touchpoint and channel of the interaction that it is about.';

ALTER TABLE answers
    COMMENT COLUMN person 'who answered',
    COMMENT COLUMN occurred_at 'when',
    COMMENT COLUMN source 'of the answer',
    COMMENT COLUMN event_id 'of the answer',
    COMMENT COLUMN question 'which question',
    COMMENT COLUMN value 'the answer',
    COMMENT COLUMN min 'lowest possible answer',
    COMMENT COLUMN max 'highest possible answer',
    COMMENT COLUMN effectiveness 'what it says of it, 0 to 100; null: nothing',
    COMMENT COLUMN ease 'what it says of it, 0 to 100; null: nothing',
    COMMENT COLUMN emotion 'what it says of it, 0 to 100; null: nothing',
    COMMENT COLUMN comment 'in their words, masked; empty: none',
    COMMENT COLUMN about 'event_id of the interaction that it is about; empty: not said',
    COMMENT COLUMN found 'whether that interaction is known',
    COMMENT COLUMN touchpoint 'of that interaction, else of the answer',
    COMMENT COLUMN channel 'of that interaction, else of the answer',
    COMMENT COLUMN queue 'of that interaction, else of the answer; empty: none';
