-- Parameters: person; before_at (ms), before_source, before_event_id: only what stands before this position.
-- Order it by occurred_at, source, event_id, and limit it, where it is used. As it serves the person and is a view as
-- well, neither what refuses service nor what refuses analysis is here.
CREATE OR REPLACE VIEW person_timeline AS
WITH
    -- What an older assignment gave them is asked for too, and refused by `person`.
    known AS (
        SELECT {person:String} AS identifier
        UNION ALL
        SELECT identifier FROM identities WHERE identities.person = {person:String} OR earlier_person = {person:String}
    ),
    -- The newest words on each purpose, as in analysis_refusals.
    said AS (
        SELECT
            purpose,
            browser,
            argMaxIf(NOT consent[purpose], (occurred_at, source, event_id, identifier), NOT public) AS own_no,
            maxIf((occurred_at, source, event_id, identifier), NOT public) AS own_at,
            argMaxIf(NOT consent[purpose], (occurred_at, source, event_id, identifier), public) AS public_no,
            maxIf((occurred_at, source, event_id, identifier), public) AS public_at
        FROM consents_attributed
        ARRAY JOIN ['analysis', 'service'] AS purpose
        WHERE person = {person:String} AND identifier IN (SELECT identifier FROM known) AND mapContains(consent, purpose)
        GROUP BY purpose, browser
    ),
    refused AS (
        SELECT browser
        FROM (SELECT *, max(own_at) OVER (PARTITION BY purpose) AS person_at FROM said)
        WHERE own_no OR (public_no AND public_at > person_at)
    )
SELECT *
FROM interactions_attributed
WHERE person = {person:String}
  AND identifier IN (SELECT identifier FROM known)
  AND (NOT mapContains(consent, 'analysis') OR consent['analysis'])
  AND (NOT mapContains(consent, 'service') OR consent['service'])
  AND identifier NOT IN (SELECT browser FROM refused)
  AND '' NOT IN (SELECT browser FROM refused)
  AND (toUnixTimestamp64Milli(occurred_at), source, event_id)
      < ({before_at:Int64}, {before_source:String}, {before_event_id:String})
COMMENT 'Interactions of one person before a position in their timeline; takes parameters.';
