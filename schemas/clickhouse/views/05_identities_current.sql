CREATE OR REPLACE VIEW identities_current AS
SELECT *
FROM identities_assigned
WHERE person NOT IN (SELECT person FROM analysis_refused)
COMMENT 'Whose an identifier is: its sessions first, then earlier_person before `until`, then person.';

ALTER TABLE identities_current
    COMMENT COLUMN identifier 'the identifier',
    COMMENT COLUMN person 'whose it is, from `until` on',
    COMMENT COLUMN until 'what occurred before is of earlier_person; null: one person for all times',
    COMMENT COLUMN earlier_person 'whose it was before `until`; empty where that is null',
    COMMENT COLUMN ambiguous 'several persons may stand behind it',
    COMMENT COLUMN owners 'the persons it is known to belong to, by first time',
    COMMENT COLUMN candidates 'whom it may be, where ambiguous',
    COMMENT COLUMN assignment 'counter of the assignment that says so',
    COMMENT COLUMN version 'of the stored row',
    COMMENT COLUMN sessions 'session → person, of those that are settled apart';
