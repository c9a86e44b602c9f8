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
${person}
    FROM (SELECT * FROM consents FINAL) AS i
${assignments}
) AS p
SETTINGS join_use_nulls = 0
COMMENT 'What was said of consent as such, by persons, or (browser is not empty) by one of their browsers or devices for itself.';
