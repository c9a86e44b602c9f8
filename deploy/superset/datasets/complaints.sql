-- All complaints. Persons are ids or keyed forms; there are no names here.
SELECT
    toDate(c.received_at) AS received_day, c.received_at AS received_at, c.complaint AS complaint, c.person AS person, c.issue AS issue,
    if(t.name = '', c.touchpoint, t.name) AS touchpoint_name, c.channel AS channel, t.owner AS owner, c.stage AS stage,
    c.overdue AS overdue, c.allowed_h AS allowed_h, c.age_h AS age_h, c.closed_h AS closed_h, c.acknowledged_h AS acknowledged_h,
    c.reopened AS reopened, if(c.root_cause = '', 'not said', c.root_cause) AS root_cause,
    c.closed_at IS NULL AS is_open, c.overdue != '' AS is_overdue
FROM complaint_times AS c
LEFT JOIN touchpoints AS t ON t.touchpoint = c.touchpoint
