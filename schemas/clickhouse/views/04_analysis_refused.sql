CREATE OR REPLACE VIEW analysis_refused AS
SELECT person
FROM analysis_refusals
WHERE everything
COMMENT 'Persons of whom nothing may be analysed: no other view has them.';
