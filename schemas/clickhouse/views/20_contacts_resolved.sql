-- A contact is what a person says in one session about one issue; without a session each event is one. It is a repeat
-- where the person has contacted us about the same issue, or looked for help with it, in the repeat_days (7) before, on
-- any channel. First-contact resolution is only stated for contacts with an issue that are no repeats themselves: false
-- where another followed in time, true where none did and that time is over, null while nobody can know.
CREATE OR REPLACE VIEW contacts_resolved AS
WITH
    toIntervalSecond(toInt64(86400 * (SELECT value FROM settings_current WHERE name = 'repeat_days'))) AS within
SELECT
    person, issue, event_id, occurred_at, ended_at, channel, touchpoint, queue, claimed,
    issue != '' AND greatest(earlier_contact, earlier_look) >= occurred_at - within AS repeat,
    issue != '' AND later_contact <= ended_at + within AS repeated,
    multiIf(
        issue = '' OR repeat, NULL,
        repeated OR claimed = false, false,
        ended_at + within < now64(3), true,
        NULL
    ) AS first_contact_resolved
FROM
(
    SELECT
        person, issue, contact, event_id, occurred_at, ended_at, channel, touchpoint, queue, claimed,
        maxIf(ended_at, contact = 'contact') OVER before_it AS earlier_contact,
        maxIf(ended_at, contact = 'self_service') OVER before_it AS earlier_look,
        minIf(occurred_at, contact = 'contact') OVER after_it AS next_contact,
        if(countIf(contact = 'contact') OVER after_it = 0, toDateTime64('2299-12-31 00:00:00', 3, 'UTC'), next_contact) AS later_contact
    FROM
    (
        SELECT
            person,
            issue,
            contact,
            argMin(c.event_id, (c.occurred_at, source, c.event_id)) AS event_id,
            min(c.occurred_at) AS occurred_at,
            max(c.occurred_at) AS ended_at,
            argMin(channel, (c.occurred_at, source, c.event_id)) AS channel,
            argMin(touchpoint, (c.occurred_at, source, c.event_id)) AS touchpoint,
            argMax(queue, (queue != '', c.occurred_at, source, c.event_id)) AS queue,
            argMax(tuple(resolved), (resolved IS NOT NULL, c.occurred_at, source, c.event_id)).1 AS claimed
        FROM contacts_attributed AS c
        GROUP BY person, issue, contact, if(session_id = '', concat(source, '/', c.event_id), concat('/', session_id)) AS session
    )
    WINDOW
        before_it AS (PARTITION BY person, issue ORDER BY occurred_at, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
        after_it AS (PARTITION BY person, issue ORDER BY occurred_at, event_id ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)
)
WHERE contact = 'contact'
COMMENT 'Each contact: whether it repeats an earlier one, whether another one followed, and whether it resolved the issue.';
