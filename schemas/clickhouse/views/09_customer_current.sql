CREATE OR REPLACE VIEW customer_current AS
SELECT *
FROM customer_by_definition
WHERE definition = (SELECT definition FROM definition_live)
COMMENT 'The newest scores of every person. By other definitions: customer_by_definition.';

ALTER TABLE customer_current
${customer_comments};
