-- Which interactions came with a public key: anybody may have sent them, so they do not speak for whoever they name.

ALTER TABLE interactions
    ADD COLUMN IF NOT EXISTS public Bool DEFAULT false COMMENT 'came with a public key (a browser''s), so anybody may have sent it' CODEC(ZSTD(1)) AFTER queue_outcome;

ALTER TABLE consents
    ADD COLUMN IF NOT EXISTS public Bool DEFAULT false COMMENT 'as in interactions: it speaks for its browser or device alone' CODEC(ZSTD(1)) AFTER consent;

-- A word that came with a public key under a stronger identifier speaks for no more than its own event, and is none here.
ALTER TABLE consents_said MODIFY QUERY
SELECT identifier, source, event_id, session_id, occurred_at, received_at, consent, public, version
FROM interactions
WHERE type IN ('profile_updated', 'consent_changed') AND notEmpty(consent)
  AND (NOT public OR startsWith(identifier, 'anonymous:') OR startsWith(identifier, 'device:'));
