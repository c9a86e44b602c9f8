-- Parameters: person; before_at (ms), before_source, before_event_id: only what stands before this position.
-- Order it by occurred_at, source, event_id, and limit it, where it is used.
CREATE OR REPLACE VIEW person_timeline AS
SELECT *
FROM interactions_by_person
WHERE person = {person:String}
  -- What an older assignment gave them is asked for too, and refused by the line above.
  AND identifier IN (
      SELECT {person:String}
      UNION ALL
      SELECT identifier FROM identities WHERE identities.person = {person:String} OR earlier_person = {person:String}
  )
  AND (toUnixTimestamp64Milli(occurred_at), source, event_id)
      < ({before_at:Int64}, {before_source:String}, {before_event_id:String})
COMMENT 'Interactions of one person before a position in their timeline; takes parameters.';
