-- A contact is what a person says in one session about one issue; without a session each event is one. It is a repeat
-- where the person has contacted us about the same issue, or looked for help with it, in the repeat_days (7) before, on
-- any channel. A contact that another one followed in that time has not resolved its issue, whatever it claimed.
-- First-contact resolution is only stated for contacts with an issue that are no repeats themselves: false where it says
-- so itself or another one followed in time, true where none did and that time is over, null while nobody can know.
CREATE OR REPLACE VIEW contacts_resolved AS
WITH
    toIntervalSecond((SELECT toInt64(86400 * any(value)) FROM settings_current WHERE name = 'repeat_days')) AS within
SELECT
    person, issue, source, event_id, occurred_at, ended_at, channel, touchpoint, queue, claimed,
    issue != '' AND earlier_contact >= occurred_at - within AS followed_contact,
    issue != '' AND earlier_look >= occurred_at - within AS followed_search,
    followed_contact OR followed_search AS repeat,
    issue != '' AND later_contact <= ended_at + within AS repeated,
    multiIf(repeated OR claimed = false, false, claimed = true, true, NULL) AS resolved,
    multiIf(
        issue = '' OR repeat, NULL,
        resolved = false, false,
        ended_at + within < now64(3), true,
        NULL
    ) AS first_contact_resolved
FROM
(
    SELECT
        person, issue, contact, source, event_id, occurred_at, ended_at, channel, touchpoint, queue, claimed,
        maxIf(ended_at, contact = 'contact') OVER before_it AS earlier_contact,
        maxIf(ended_at, contact = 'self_service') OVER before_it AS earlier_look,
        if(countIf(contact = 'contact') OVER after_it = 0, toDateTime64('2299-12-31 00:00:00', 3, 'UTC'),
           minIf(occurred_at, contact = 'contact') OVER after_it) AS later_contact
    FROM
    (
        SELECT
            person,
            issue,
            contact,
            argMin(c.source, (c.occurred_at, c.source, c.event_id)) AS source,
            argMin(c.event_id, (c.occurred_at, c.source, c.event_id)) AS event_id,
            min(c.occurred_at) AS occurred_at,
            max(c.occurred_at) AS ended_at,
            argMin(c.channel, (c.occurred_at, c.source, c.event_id)) AS channel,
            argMin(c.touchpoint, (c.occurred_at, c.source, c.event_id)) AS touchpoint,
            argMax(c.queue, (c.queue != '', c.occurred_at, c.source, c.event_id)) AS queue,
            argMax(tuple(c.resolved), (c.resolved IS NOT NULL, c.occurred_at, c.source, c.event_id)).1 AS claimed
        FROM contacts_attributed AS c
        GROUP BY person, issue, contact, if(c.session_id = '', concat(c.source, '/', c.event_id), concat('/', c.session_id)) AS session
    )
    WINDOW
        before_it AS (PARTITION BY person, issue ORDER BY occurred_at, source, event_id, contact ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
        after_it AS (PARTITION BY person, issue ORDER BY occurred_at, source, event_id, contact ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)
)
WHERE contact = 'contact'
COMMENT 'Each contact: whether it repeats an earlier one, whether another one followed, and whether it resolved the issue.';

ALTER TABLE contacts_resolved
    COMMENT COLUMN person 'whose contact',
    COMMENT COLUMN issue 'what it is about; empty: not said',
    COMMENT COLUMN source 'of its first event',
    COMMENT COLUMN event_id 'of its first event',
    COMMENT COLUMN occurred_at 'when it began',
    COMMENT COLUMN ended_at 'when its last event was',
    COMMENT COLUMN channel 'in which channel',
    COMMENT COLUMN touchpoint 'where',
    COMMENT COLUMN queue 'in which queue; empty: not said',
    COMMENT COLUMN claimed 'what it said itself of being solved; null: nothing',
    COMMENT COLUMN followed_contact 'they had contacted us about the issue in the days before',
    COMMENT COLUMN followed_search 'they had looked for help with the issue in the days before',
    COMMENT COLUMN repeat 'either of both',
    COMMENT COLUMN repeated 'they contacted us again about the issue in the days after',
    COMMENT COLUMN resolved 'claimed, but false where they contacted us again; null: not said',
    COMMENT COLUMN first_contact_resolved 'whether the first contact solved the issue; null: it was not the first, or it is too early to know';
