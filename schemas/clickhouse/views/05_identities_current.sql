CREATE OR REPLACE VIEW identities_current AS
SELECT *
FROM identities_assigned
WHERE person NOT IN (SELECT person FROM analysis_refused)
COMMENT 'Whose an identifier is: its sessions first, then earlier_person before `until`, then person.';
