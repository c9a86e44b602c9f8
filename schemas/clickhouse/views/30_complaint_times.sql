-- A complaint is known by its complaint_id, else by its issue, else by the event of its opening, of one person; whose
-- each word is, as in interactions_attributed, and without what must not be analysed. Words are taken in the order of
-- their times. The customer opens a complaint again by complaining after it was closed; a stage that is told late does
-- not. Then all times and hours are those since. A stage that was left out is null; what is overdue is the earliest stage
-- that has not been reached in its time (business.yaml), nor any stage behind it. For somebody known by name, what came
-- with a public key opens no complaint and closes none (pipeline/domain/consent.py).
CREATE OR REPLACE VIEW complaint_times AS
WITH
    (SELECT mapFromArrays(groupArray(name), groupArray(value)) FROM settings_current WHERE startsWith(name, 'complaint_')) AS hours,
    (from_, at) -> if(at IS NULL, NULL, dateDiff('second', from_, assumeNotNull(at)) / 3600) AS took,
    (words, kind) -> arrayElementOrNull(arrayMap(w -> w.1, arrayFilter(w -> w.4 = kind, words)), 1) AS first_at,
    (name, age, limits) -> limits[name] > 0 AND age > limits[name] AS late
SELECT
    person,
    complaint,
    issue,
    touchpoint,
    channel,
    received_at,
    reopened_at,
    reopened,
    acknowledged_at,
    assessed_at,
    investigated_at,
    responded_at,
    closed_at,
    took(began_at, acknowledged_at) AS acknowledged_h,
    took(began_at, assessed_at) AS assessed_h,
    took(began_at, investigated_at) AS investigated_h,
    took(began_at, responded_at) AS responded_h,
    took(began_at, closed_at) AS closed_h,
    multiIf(
        closed_at IS NOT NULL, 'closed',
        responded_at IS NOT NULL, 'responded',
        investigated_at IS NOT NULL, 'investigated',
        assessed_at IS NOT NULL, 'assessed',
        acknowledged_at IS NOT NULL, 'acknowledged',
        'received'
    ) AS stage,
    root_cause,
    next_step,
    dateDiff('second', began_at, now64(3)) / 3600 AS age_h,
    multiIf(
        closed_at IS NOT NULL, '',
        stage = 'received' AND late('complaint_acknowledged_h', age_h, hours), 'acknowledged',
        stage IN ('received', 'acknowledged') AND late('complaint_assessed_h', age_h, hours), 'assessed',
        stage IN ('received', 'acknowledged', 'assessed') AND late('complaint_investigated_h', age_h, hours), 'investigated',
        stage != 'responded' AND late('complaint_responded_h', age_h, hours), 'responded',
        late('complaint_closed_h', age_h, hours), 'closed',
        ''
    ) AS overdue,
    if(overdue = '', NULL, hours[concat('complaint_', overdue, '_h')]) AS allowed_h,
    first_sign_at,
    identifier,
    opening_event,
    closing_event,
    closing_touchpoint
FROM
(
    SELECT
        person,
        complaint,
        words,
        first_sign_at,
        arrayMap(w -> w.4, words) AS kinds,
        -- Places in `words`, 0 where there is none.
        arrayLastIndex(kind -> kind IN ('complaint_opened', 'complaint_updated'), kinds) AS said,
        arrayLastIndex((kind, place) -> kind = 'complaint_closed' AND place < said, kinds, arrayEnumerate(kinds)) AS closed_before,
        arrayFirstIndex((kind, place) -> kind IN ('complaint_opened', 'complaint_updated') AND place > closed_before,
                        kinds, arrayEnumerate(kinds)) AS opened_again,
        arraySlice(words, if(closed_before = 0, 1, opened_again)) AS round,
        arrayFilter(w -> w.4 = 'complaint_closed', arraySlice(words, said + 1)) AS closings,
        arrayElement(words, greatest(1, indexOf(kinds, 'complaint_opened'))) AS opening,
        arrayFilter(kind -> kind IN ('complaint_opened', 'complaint_updated', 'complaint_closed'), kinds) AS deciding,
        arrayCount((kind, next) -> kind = 'complaint_closed' AND next != 'complaint_closed',
                   arrayPopBack(deciding), arrayPopFront(deciding)) AS reopened,
        opening.5 AS identifier,
        opening.3 AS opening_event,
        opening.6 AS touchpoint,
        opening.7 AS channel,
        arrayFirst(each -> each != '', arrayMap(w -> w.8, words)) AS issue,
        words[1].1 AS received_at,
        if(closed_before = 0, NULL, words[opened_again].1) AS reopened_at,
        ifNull(reopened_at, received_at) AS began_at,
        first_at(round, 'complaint_acknowledged') AS acknowledged_at,
        first_at(round, 'complaint_assessed') AS assessed_at,
        first_at(round, 'complaint_investigated') AS investigated_at,
        first_at(round, 'complaint_responded') AS responded_at,
        first_at(closings, 'complaint_closed') AS closed_at,
        closings[1].3 AS closing_event,
        closings[1].6 AS closing_touchpoint,
        arrayLast(w -> w.4 = 'complaint_closed', words).9 AS root_cause,
        arrayLast(w -> w.4 = 'complaint_closed', words).10 AS next_step
    FROM
    (
        SELECT
            c.person AS person,
            c.complaint AS complaint,
            arraySort(groupArray((c.occurred_at, c.source, c.event_id, c.type, c.identifier, c.touchpoint, c.channel, c.issue, c.root_cause, c.next_step))) AS words,
            min(least(c.occurred_at, c.received_at)) AS first_sign_at
        FROM
        (
            SELECT
                i.*,
${person}
            FROM (SELECT * FROM complaints FINAL) AS i
${assignments}
        ) AS c
        LEFT ANTI JOIN analysis_refused_parts AS refused ON refused.who = c.person AND (refused.browser = '' OR refused.browser = c.identifier)
        WHERE (NOT mapContains(c.consent, 'analysis') OR c.consent['analysis'])
          AND (NOT c.public OR startsWith(c.person, 'anonymous:') OR startsWith(c.person, 'device:'))
        GROUP BY c.person, c.complaint
    )
)
SETTINGS join_use_nulls = 0
COMMENT 'Each complaint with the time of each of its stages, the hours they took, and what is overdue.';

ALTER TABLE complaint_times
    COMMENT COLUMN person 'whose complaint',
    COMMENT COLUMN identifier 'under which its first word is stored',
    COMMENT COLUMN opening_event 'event_id of its first word',
    COMMENT COLUMN closing_event 'event_id of the word that closed it',
    COMMENT COLUMN reopened 'how often it was opened again after it had been closed',
    COMMENT COLUMN reopened_at 'when it was opened again last; null: it never was',
    COMMENT COLUMN complaint 'its id, or its issue',
    COMMENT COLUMN issue 'what it is about',
    COMMENT COLUMN touchpoint 'where it was received',
    COMMENT COLUMN channel 'in which channel',
    COMMENT COLUMN received_at 'when',
    COMMENT COLUMN acknowledged_at 'when; null: not yet, or left out',
    COMMENT COLUMN assessed_at 'when; null: not yet, or left out',
    COMMENT COLUMN investigated_at 'when; null: not yet, or left out',
    COMMENT COLUMN responded_at 'when; null: not yet, or left out',
    COMMENT COLUMN closed_at 'when; null: it is open',
    COMMENT COLUMN acknowledged_h 'hours from its receipt, or from when it was opened again',
    COMMENT COLUMN assessed_h 'hours from its receipt, or from when it was opened again',
    COMMENT COLUMN investigated_h 'hours from its receipt, or from when it was opened again',
    COMMENT COLUMN responded_h 'hours from its receipt, or from when it was opened again',
    COMMENT COLUMN closed_h 'hours from its receipt, or from when it was opened again',
    COMMENT COLUMN root_cause 'as it was closed',
    COMMENT COLUMN next_step 'as it was closed',
    COMMENT COLUMN age_h 'hours from its receipt, or from when it was opened again, to now',
    COMMENT COLUMN stage 'the furthest one that it has reached: received, acknowledged, assessed, investigated, responded, closed',
    COMMENT COLUMN allowed_h 'hours within which the overdue stage should have been reached; null: none is overdue',
    COMMENT COLUMN closing_touchpoint 'where it was closed',
    COMMENT COLUMN first_sign_at 'when it was first heard of: what is from before an erasure is told by it',
    COMMENT COLUMN overdue 'earliest stage that is past its time; empty: none';
