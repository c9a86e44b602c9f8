CREATE OR REPLACE VIEW touchpoints AS
SELECT * EXCEPT version
FROM catalogue_touchpoints FINAL
WHERE version = (SELECT max(version) FROM catalogue_touchpoints)
COMMENT 'The touchpoints of the catalogue as it was loaded last.';
