CREATE OR REPLACE VIEW changes_current AS
SELECT change_id, touchpoint, changed_on, what, recorded_at, recorded_by
FROM changes FINAL
COMMENT 'What was changed at touchpoints, and since which day.';

ALTER TABLE changes_current
    COMMENT COLUMN change_id 'names it; recorded again it takes the place of what was recorded before',
    COMMENT COLUMN touchpoint 'where something was changed',
    COMMENT COLUMN changed_on 'from which day on it is so, by the clock of the business',
    COMMENT COLUMN what 'what was changed, in their words, masked',
    COMMENT COLUMN recorded_at 'when it was recorded last',
    COMMENT COLUMN recorded_by 'who recorded it last: a pseudonym';
