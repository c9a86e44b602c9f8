-- The person of each interaction, as it is known at the moment of the query: by the session where one is settled, else
-- by the interval. Assignment.owner of pipeline/domain/messages.py, but for those who were erased.
CREATE OR REPLACE VIEW interactions_attributed AS
SELECT
    i.*,
${person},
    w.ambiguous AS ambiguous
FROM (SELECT * FROM interactions FINAL) AS i
${assignments}
SETTINGS join_use_nulls = 0
COMMENT 'Interactions with their person, whatever they allow. For people: interactions_by_person.';
