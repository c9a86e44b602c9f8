-- Without those about a person who refuses analysis: their alerts are taken away, and not shown until then.
CREATE OR REPLACE VIEW alerts_open AS
SELECT
    a.alert_id AS alert_id,
    a.kind AS kind,
    if(a.state = '', 'open', a.state) AS state,
    a.touchpoint AS touchpoint,
    a.reason AS reason,
    if(a.subject != '', a.subject, a.person) AS subject,
    a.owner AS owner,
    a.deputy AS deputy,
    if(a.escalated_at IS NULL, a.owner, a.deputy) AS assigned_to,
    a.what_to_do AS what_to_do,
    a.opened_at AS opened_at,
    a.since AS since,
    a.acknowledged_at AS acknowledged_at,
    a.acknowledged_by AS acknowledged_by,
    a.escalated_at AS escalated_at,
    a.note AS note,
    a.value AS value,
    a.low AS low,
    a.high AS high,
    a.n AS n
FROM (SELECT * FROM alerts FINAL WHERE closed_at IS NULL) AS a
LEFT ANTI JOIN analysis_refused_parts AS refused ON refused.who = a.person AND (refused.browser = '' OR refused.browser = a.identifier)
SETTINGS join_use_nulls = 0
COMMENT 'What people should look at now, and who: oldest first, ORDER BY opened_at. stands_alone is from who is who, the rest from experience.';

ALTER TABLE alerts_open
    COMMENT COLUMN alert_id 'its id',
    COMMENT COLUMN kind 'what kind of thing: threshold, severe, complaint_overdue, control_limit, ask_again, stands_alone',
    COMMENT COLUMN state 'open, or acknowledged',
    COMMENT COLUMN touchpoint 'where; empty: it is about an identifier',
    COMMENT COLUMN reason 'why, in plain words',
    COMMENT COLUMN subject 'what or whom it is about',
    COMMENT COLUMN owner 'who can do something about it',
    COMMENT COLUMN deputy 'who is told when the owner does nothing',
    COMMENT COLUMN assigned_to 'the owner, or the deputy once it was escalated',
    COMMENT COLUMN what_to_do 'as the catalogue says',
    COMMENT COLUMN opened_at 'since when it stands',
    COMMENT COLUMN since 'since when its cause holds',
    COMMENT COLUMN acknowledged_at 'when somebody took it on; null: nobody has',
    COMMENT COLUMN acknowledged_by 'who did',
    COMMENT COLUMN escalated_at 'when it went to the deputy; null: it has not',
    COMMENT COLUMN note 'what they said',
    COMMENT COLUMN value 'the figure that it rests on; null: none',
    COMMENT COLUMN low 'its 95 % interval, from',
    COMMENT COLUMN high 'its 95 % interval, to',
    COMMENT COLUMN n 'pieces of evidence of the figure';
