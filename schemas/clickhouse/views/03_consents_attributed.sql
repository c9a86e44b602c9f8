-- Whose each word on consent is: as in interactions_attributed. One that came with a public key is a word of the person only
-- as long as nobody knows their name, else of its browser or device (pipeline/domain/consent.py).
CREATE OR REPLACE VIEW consents_attributed AS
SELECT
    p.*,
    if(p.public AND NOT startsWith(p.person, 'anonymous:') AND NOT startsWith(p.person, 'device:'), p.identifier, '') AS browser
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
    FROM (SELECT * FROM consents FINAL) AS i
    LEFT JOIN
    (
        SELECT identifier AS who, person, until, earlier_person, ambiguous, sessions
        FROM identities_assigned
    ) AS w ON w.who = i.identifier
) AS p
SETTINGS join_use_nulls = 0
COMMENT 'What was said of consent as such, by persons, or (browser is not empty) by one of their browsers or devices for itself.';
