-- A complaint is known by its complaint_id, else by its issue, of one person. A stage that was left out is null; what is
-- overdue is the earliest stage that has not been reached in its time (business.yaml), nor any stage behind it.
CREATE OR REPLACE VIEW complaint_times AS
WITH
    (SELECT mapFromArrays(groupArray(name), groupArray(value)) FROM settings_current WHERE startsWith(name, 'complaint_')) AS hours,
    (from_, at) -> if(at IS NULL, NULL, dateDiff('second', from_, at) / 3600) AS took
SELECT
    person,
    complaint,
    issue,
    touchpoint,
    channel,
    received_at,
    acknowledged_at,
    assessed_at,
    investigated_at,
    responded_at,
    closed_at,
    took(received_at, acknowledged_at) AS acknowledged_h,
    took(received_at, assessed_at) AS assessed_h,
    took(received_at, investigated_at) AS investigated_h,
    took(received_at, responded_at) AS responded_h,
    took(received_at, closed_at) AS closed_h,
    root_cause,
    next_step,
    dateDiff('second', received_at, now64(3)) / 3600 AS age_h,
    multiIf(
        closed_at IS NOT NULL, '',
        coalesce(acknowledged_at, assessed_at, investigated_at, responded_at) IS NULL AND age_h > hours['complaint_acknowledged_h'], 'acknowledged',
        coalesce(assessed_at, investigated_at, responded_at) IS NULL AND age_h > hours['complaint_assessed_h'], 'assessed',
        coalesce(investigated_at, responded_at) IS NULL AND age_h > hours['complaint_investigated_h'], 'investigated',
        responded_at IS NULL AND age_h > hours['complaint_responded_h'], 'responded',
        age_h > hours['complaint_closed_h'], 'closed',
        ''
    ) AS overdue
FROM
(
    SELECT
        i.person AS person,
        multiIf(i.properties['complaint_id'] != '', i.properties['complaint_id'], i.issue != '', i.issue, i.event_id) AS complaint,
        argMinIf(i.issue, i.occurred_at, i.issue != '') AS issue,
        argMin(i.touchpoint, (i.occurred_at, i.source, i.event_id)) AS touchpoint,
        argMin(i.channel, (i.occurred_at, i.source, i.event_id)) AS channel,
        min(i.occurred_at) AS received_at,
        minOrNullIf(i.occurred_at, i.type = 'complaint_acknowledged') AS acknowledged_at,
        minOrNullIf(i.occurred_at, i.type = 'complaint_assessed') AS assessed_at,
        minOrNullIf(i.occurred_at, i.type = 'complaint_investigated') AS investigated_at,
        minOrNullIf(i.occurred_at, i.type = 'complaint_responded') AS responded_at,
        if(argMax(i.type, (i.occurred_at, i.source, i.event_id)) = 'complaint_closed',
           maxOrNullIf(i.occurred_at, i.type = 'complaint_closed'), NULL) AS closed_at,
        argMax(i.properties['root_cause'], (i.type = 'complaint_closed', i.occurred_at)) AS root_cause,
        argMax(i.properties['next_step'], (i.type = 'complaint_closed', i.occurred_at)) AS next_step
    FROM interactions_by_person AS i
    WHERE startsWith(i.type, 'complaint_')
    GROUP BY person, complaint
)
COMMENT 'Each complaint with the time of each of its stages, the hours they took, and what is overdue.';

ALTER TABLE complaint_times
    COMMENT COLUMN person 'whose complaint',
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
    COMMENT COLUMN acknowledged_h 'hours from its receipt',
    COMMENT COLUMN assessed_h 'hours from its receipt',
    COMMENT COLUMN investigated_h 'hours from its receipt',
    COMMENT COLUMN responded_h 'hours from its receipt',
    COMMENT COLUMN closed_h 'hours from its receipt',
    COMMENT COLUMN root_cause 'as it was closed',
    COMMENT COLUMN next_step 'as it was closed',
    COMMENT COLUMN age_h 'hours from its receipt to now',
    COMMENT COLUMN overdue 'earliest stage that is past its time; empty: none';
