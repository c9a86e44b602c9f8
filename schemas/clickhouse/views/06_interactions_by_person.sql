-- The person of each interaction, as it is known at the moment of the query, without what must not be analysed: neither
-- an interaction that says so itself, nor anything of a person, or of a browser of theirs, who says so.
CREATE OR REPLACE VIEW interactions_by_person AS
SELECT a.*
FROM interactions_attributed AS a
LEFT ANTI JOIN
(
    SELECT person AS who, arrayJoin(if(everything, [''], browsers)) AS browser FROM analysis_refusals
) AS refused ON refused.who = a.person AND (refused.browser = '' OR refused.browser = a.identifier)
WHERE NOT mapContains(a.consent, 'analysis') OR a.consent['analysis']
COMMENT 'Interactions with their person. Bound it by occurred_day or occurred_at; for one person use person_timeline.';
