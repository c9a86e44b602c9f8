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
