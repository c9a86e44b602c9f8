-- Whose scores differ between the live definition and the one beside it, which are as of its last replay.
CREATE OR REPLACE VIEW definition_customers AS
SELECT
    any(known.definition) AS definition_live,
    any(known.beside) AS definition_beside,
    countIf(by_live) AS live,
    countIf(by_beside) AS beside,
    countIf(by_live AND by_beside) AS both,
    countIf(beside_overall > live_overall + 5) AS better,
    countIf(beside_overall < live_overall - 5) AS worse,
    countIf(beside_risk AND NOT live_risk) AS risk_gained,
    countIf(live_risk AND NOT beside_risk) AS risk_lost
FROM
(
    SELECT
        c.person AS person,
        countIf(c.definition = known.definition) > 0 AS by_live,
        countIf(c.definition = known.beside) > 0 AS by_beside,
        maxIf(c.overall, c.definition = known.definition) AS live_overall,
        maxIf(c.overall, c.definition = known.beside) AS beside_overall,
        maxIf(c.at_risk, c.definition = known.definition) AS live_risk,
        maxIf(c.at_risk, c.definition = known.beside) AS beside_risk,
        known.definition AS definition,
        known.beside AS beside
    FROM customer_by_definition AS c
    INNER JOIN (SELECT * FROM definition_live WHERE beside IS NOT NULL) AS known ON 1 = 1
    WHERE c.definition IN (known.definition, known.beside)
    GROUP BY person, known.definition, known.beside
) AS known
COMMENT 'How many customers have scores by the live definition and by the one beside it, whose overall score differs by more than 5, and who is at risk by one alone.';

ALTER TABLE definition_customers
    COMMENT COLUMN definition_live 'the version that is live',
    COMMENT COLUMN definition_beside 'the version that is counted beside it',
    COMMENT COLUMN live 'customers with scores by the live one',
    COMMENT COLUMN beside 'customers with scores by the one beside it',
    COMMENT COLUMN both 'customers with scores by both',
    COMMENT COLUMN better 'whose overall score is more than 5 of 100 higher by the one beside it',
    COMMENT COLUMN worse 'whose overall score is more than 5 of 100 lower by it',
    COMMENT COLUMN risk_gained 'who are at risk by the one beside it alone',
    COMMENT COLUMN risk_lost 'who are at risk by the live one alone';
