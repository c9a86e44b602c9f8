-- One row per identifier that evidence has connected. All of it from one scan, so that a query never sees the main row
-- of one assignment beside the sessions of another. Whoever was erased (`erased:…`) is nobody: what is newer than the
-- erasure stays with the identifier itself, and what is older is deleted.
CREATE OR REPLACE VIEW identities_assigned AS
WITH (whose, identifier) -> if(startsWith(whose, 'erased:'), identifier, whose) AS known
SELECT
    rows.identifier AS identifier,
    known(anyIf(rows.person, rows.session_id = ''), rows.identifier) AS person,
    anyIf(rows.until, rows.session_id = '') AS until,
    known(anyIf(rows.earlier_person, rows.session_id = ''), rows.identifier) AS earlier_person,
    anyIf(rows.ambiguous, rows.session_id = '') AS ambiguous,
    arrayFilter(each -> NOT startsWith(each, 'erased:'), anyIf(rows.owners, rows.session_id = '')) AS owners,
    anyIf(rows.candidates, rows.session_id = '') AS candidates,
    anyIf(rows.assignment, rows.session_id = '') AS assignment,
    maxIf(rows.version, rows.session_id = '') AS version,
    -- A session that the newest assignment no longer lists keeps its older version, and falls out here.
    CAST(
        arrayMap(
            each -> (each.1, known(each.2, rows.identifier)),
            arrayFilter(
                each -> each.3 = version,
                groupArrayIf((rows.session_id, rows.person, rows.version), rows.session_id != '')
            )
        ),
        'Map(String, String)'
    ) AS sessions
FROM identities AS rows FINAL
GROUP BY rows.identifier
COMMENT 'Whose an identifier is, whatever they allow. For people: identities_current.';
