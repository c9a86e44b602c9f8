-- One row per identifier that evidence has connected. All of it from one scan, so that a query never sees the main row
-- of one assignment beside the sessions of another.
CREATE OR REPLACE VIEW identities_current AS
SELECT
    rows.identifier AS identifier,
    anyIf(rows.person, rows.session_id = '') AS person,
    anyIf(rows.until, rows.session_id = '') AS until,
    anyIf(rows.earlier_person, rows.session_id = '') AS earlier_person,
    anyIf(rows.ambiguous, rows.session_id = '') AS ambiguous,
    anyIf(rows.owners, rows.session_id = '') AS owners,
    anyIf(rows.candidates, rows.session_id = '') AS candidates,
    anyIf(rows.assignment, rows.session_id = '') AS assignment,
    maxIf(rows.version, rows.session_id = '') AS version,
    -- A session that the newest assignment no longer lists keeps its older version, and falls out here.
    CAST(
        arrayMap(
            each -> (each.1, each.2),
            arrayFilter(
                each -> each.3 = version,
                groupArrayIf((rows.session_id, rows.person, rows.version), rows.session_id != '')
            )
        ),
        'Map(String, String)'
    ) AS sessions
FROM identities AS rows FINAL
GROUP BY rows.identifier
COMMENT 'Whose an identifier is: its sessions first, then earlier_person before `until`, then person.';
