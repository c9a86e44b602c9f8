-- Whose each contact is: as in interactions_attributed, and without what must not be analysed.
CREATE OR REPLACE VIEW contacts_attributed AS
SELECT c.*
FROM
(
    SELECT
        i.*,
        multiIf(
            w.who = '', i.identifier,
            i.session_id != '' AND mapContains(w.sessions, i.session_id), w.sessions[i.session_id],
            w.until IS NOT NULL AND i.occurred_at < w.until, w.earlier_person,
            w.person
        ) AS person
    FROM (SELECT * FROM contacts FINAL) AS i
    LEFT JOIN
    (
        SELECT identifier AS who, person, until, earlier_person, ambiguous, sessions
        FROM identities_assigned
    ) AS w ON w.who = i.identifier
) AS c
LEFT ANTI JOIN
(
    SELECT person AS who, arrayJoin(if(everything, [''], browsers)) AS browser FROM analysis_refusals
) AS refused ON refused.who = c.person AND (refused.browser = '' OR refused.browser = c.identifier)
WHERE c.contact != '' AND (NOT mapContains(c.consent, 'analysis') OR c.consent['analysis'])
SETTINGS join_use_nulls = 0
COMMENT 'Contacts, and searches for help, with their person.';
