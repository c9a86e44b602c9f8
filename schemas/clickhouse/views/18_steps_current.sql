CREATE OR REPLACE VIEW steps_current AS
SELECT * EXCEPT version
FROM catalogue_steps FINAL
WHERE version = (SELECT max(version) FROM catalogue_steps)
COMMENT 'The steps of the journeys of the catalogue as it was loaded last.';
