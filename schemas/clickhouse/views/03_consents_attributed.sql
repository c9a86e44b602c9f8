-- Whose each word on consent is: as in interactions_attributed.
CREATE OR REPLACE VIEW consents_attributed AS
SELECT
    i.*,
    multiIf(
        w.who = '', i.identifier,
        i.session_id != '' AND mapContains(w.sessions, i.session_id), w.sessions[i.session_id],
        w.until IS NOT NULL AND i.occurred_at < w.until, w.earlier_person,
        w.person
    ) AS person
FROM (SELECT * FROM consents FINAL) AS i
LEFT JOIN
(
    SELECT identifier AS who, person, until, earlier_person, ambiguous, sessions
    FROM identities_assigned
) AS w ON w.who = i.identifier
SETTINGS join_use_nulls = 0
COMMENT 'What persons said of consent as such.';
