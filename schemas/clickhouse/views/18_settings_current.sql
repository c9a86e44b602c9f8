CREATE OR REPLACE VIEW settings_current AS
SELECT name, value, texts
FROM catalogue_settings FINAL
WHERE version = (SELECT max(version) FROM catalogue_settings)
COMMENT 'Numbers and lists of the catalogue as it was loaded last.';
