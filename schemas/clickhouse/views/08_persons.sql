-- Reads every interaction: meant for reports, not for look-ups.
CREATE OR REPLACE VIEW persons AS
SELECT
    p.person AS person,
    arraySort(arrayDistinct(arrayConcat(p.used, w.assigned))) AS identifiers,
    p.interactions AS interactions,
    p.sessions AS sessions,
    p.channels AS channels,
    p.first_seen AS first_seen,
    p.last_seen AS last_seen,
    p.ambiguous AS ambiguous
FROM
(
    SELECT
        person,
        groupUniqArray(identifier) AS used,
        count() AS interactions,
        uniqExactIf(session_id, session_id != '') AS sessions,
        arraySort(groupUniqArray(channel)) AS channels,
        min(occurred_at) AS first_seen,
        max(occurred_at) AS last_seen,
        -- Only what stayed with an ambiguous identifier is nobody's; a person who shares a device is not.
        max(ambiguous AND person = identifier) AS ambiguous
    FROM interactions_by_person
    GROUP BY person
) AS p
LEFT JOIN
(
    SELECT person AS who, groupArray(identifier) AS assigned
    FROM identities_assigned
    GROUP BY who
) AS w ON w.who = p.person
SETTINGS join_use_nulls = 0
COMMENT 'Everybody who has interactions, known by name or not. identifiers: used by them, or known to be theirs.';

ALTER TABLE persons
    COMMENT COLUMN person 'the identifier that stands for them',
    COMMENT COLUMN identifiers 'all that they used, or that are known to be theirs',
    COMMENT COLUMN interactions 'how many',
    COMMENT COLUMN sessions 'visits, calls and chats',
    COMMENT COLUMN channels 'that they used',
    COMMENT COLUMN first_seen 'when something was first heard of them',
    COMMENT COLUMN last_seen 'when something was last heard of them',
    COMMENT COLUMN ambiguous 'several persons may stand behind it';
