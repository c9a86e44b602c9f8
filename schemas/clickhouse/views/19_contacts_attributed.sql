-- Whose each contact is: as in interactions_attributed, and without what must not be analysed.
CREATE OR REPLACE VIEW contacts_attributed AS
SELECT c.*
FROM
(
    SELECT
        i.*,
${person}
    FROM (SELECT * FROM contacts FINAL) AS i
${assignments}
) AS c
LEFT ANTI JOIN analysis_refused_parts AS refused ON refused.who = c.person AND (refused.browser = '' OR refused.browser = c.identifier)
WHERE c.contact != '' AND (NOT mapContains(c.consent, 'analysis') OR c.consent['analysis'])
SETTINGS join_use_nulls = 0
COMMENT 'Contacts, and searches for help, with their person.';
