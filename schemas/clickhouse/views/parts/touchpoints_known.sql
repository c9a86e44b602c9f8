-- The touchpoints of the catalogue as it was loaded last.
SELECT * EXCEPT version
FROM catalogue_touchpoints FINAL
WHERE version = (SELECT max(version) FROM catalogue_touchpoints)
