-- Orders have no purpose, and a lookup is refused without one.
CREATE OR REPLACE VIEW lookups AS
SELECT
    a.at AS at,
    a.actor AS actor,
    a.action AS action,
    a.purpose AS purpose,
    a.subjects AS subjects,
    a.shown AS shown,
    a.outcome AS outcome
FROM audit AS a FINAL
WHERE a.purpose != ''
COMMENT 'Who looked up whom, when and why. Subjects and persons are seals: whoever holds an identifier can make its seal.';

ALTER TABLE lookups
    COMMENT COLUMN at 'when',
    COMMENT COLUMN actor 'who looked: the name of a key, or of somebody signed in',
    COMMENT COLUMN action 'what was asked for',
    COMMENT COLUMN purpose 'what for, in their words',
    COMMENT COLUMN subjects 'seals of the identifiers that were asked for',
    COMMENT COLUMN shown 'seals of the persons that were shown',
    COMMENT COLUMN outcome 'found, none, ambiguous, refused, …';
