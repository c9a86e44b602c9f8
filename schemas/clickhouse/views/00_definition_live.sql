CREATE OR REPLACE VIEW definition_live AS
SELECT d.live AS definition, nullIf(d.beside, 0) AS beside, d.since AS since
FROM definitions AS d FINAL
ORDER BY d.number DESC
LIMIT 1
COMMENT 'The version of the definitions by which views show scores, the one that is counted beside it (null: none), and since when it has been so.';

ALTER TABLE definition_live
    COMMENT COLUMN definition 'version of schemas/catalogue/scores.yaml that views show scores by',
    COMMENT COLUMN beside 'version that is counted beside it; null: none',
    COMMENT COLUMN since 'since when it has been so';
