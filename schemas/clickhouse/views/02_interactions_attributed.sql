-- The person of each interaction, as it is known at the moment of the query: by the session where one is settled, else
-- by the interval. Assignment.owner of pipeline/domain/messages.py, but for those who were erased.
CREATE OR REPLACE VIEW interactions_attributed AS
SELECT
    i.*,
    multiIf(
        w.who = '', i.identifier,
        i.session_id != '' AND mapContains(w.sessions, i.session_id), w.sessions[i.session_id],
        w.until IS NOT NULL AND i.occurred_at < w.until, w.earlier_person,
        w.person
    ) AS person,
    w.ambiguous AS ambiguous
FROM (SELECT * FROM interactions FINAL) AS i
LEFT JOIN
(
    SELECT identifier AS who, person, until, earlier_person, ambiguous, sessions
    FROM identities_assigned
) AS w ON w.who = i.identifier
SETTINGS join_use_nulls = 0
COMMENT 'Interactions with their person, whatever they allow. For people: interactions_by_person.';
